// A reader of compact models from docs/formats.md alone: `node compact.mjs model.json` passes the model's test rows.
import { readFileSync } from "node:fs";

const missing = (v) => v === null || v === undefined || Number.isNaN(v);
const fraction = (text) => { const [p, q] = text.split("/"); return [Number(p), Number(q ?? 1)]; };
const gcd = (a, b) => (b ? gcd(b, a % b) : a);
function widthBin({ width, origin, period }) {
  const [p, q] = fraction(width), [r, s] = fraction(origin), d = (q / gcd(q, s)) * s;
  const a = (r * d) / s, b = (p * d) / q, edge = (k) => (k * b + a) / d;
  const n = period ? Math.round(fraction(period)[0] / fraction(period)[1] / (p / q)) : 0;
  return (x) => {
    let k = Math.floor((x - r / s) / (p / q));
    for (; x < edge(k); k -= 1);
    for (; x >= edge(k + 1); k += 1);
    return n ? ((k % n) + n) % n : k;
  };
}
function datePart({ part, zone }) {
  const names = Object.fromEntries(["year", "month", "day", "hour", "minute"].map((name) => [name, "numeric"]));
  const timeZone = /^UTC[+-]/.test(zone ?? "") ? zone.slice(3) : (zone ?? "UTC");
  const format = new Intl.DateTimeFormat("en-US", { ...names, hourCycle: "h23", timeZone });
  return (text) => {
    const moment = new Date(zone === null ? `${text}Z` : text);
    const parts = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
    const weekday = (new Date(Date.UTC(parts.year, parts.month - 1, parts.day)).getUTCDay() + 6) % 7;
    return { ...parts, weekday }[part];
  };
}
function reader({ kind, rule, levels, normalize }) {
  const clean = (text) => (normalize ? text.normalize("NFC").trim() : text);
  const position = new Map(levels.map((level, i) => [level, i]));
  const edgeBin = (x) => rule.edges.filter((edge) => edge <= x).length - 1;
  const level = kind === "bin" ? (rule.edges ? edgeBin : widthBin(rule)) : kind === "date_part" ? datePart(rule)
    : kind === "string" ? clean : (v) => v;
  return (v) => {
    const items = missing(v) ? [null] : kind !== "list" ? [level(v)]
      : (rule.separator === null ? v : v.split(rule.separator)).map(clean).filter((word) => word !== "");
    return [...new Set(items)].map((item) => position.get(item)).filter((i) => i !== undefined);
  };
}
export function load(model) {
  const readers = model.fields.map(reader);
  const wide = model.terms.map((t) => t.fields && t.fields.reduce((n, i) => n * model.fields[i].levels.length, 1) > 2 ** 53);
  const key = (t, places, isWide) => isWide ? String(places) : places.reduce((k, p, j) => k * model.fields[t.fields[j]].levels.length + p, 0);
  const tables = model.terms.map((t, n) => new Map(t.keys?.map((k, i) => [wide[n] ? String(k) : k, t.weights[i]])));
  const pooled = model.terms.map((t, n) => new Set(t.pooled?.keys.map((k) => (wide[n] ? String(k) : k))));
  const inverse = { identity: (z) => z, log: Math.exp, logit: (z) => 1 / (1 + Math.exp(-z)) }[model.link];
  return (row) => inverse(model.terms.reduce((total, t, n) => {
    if (t.number !== undefined) return total + t.weight * (t.float32 ? Math.fround(row[t.number]) : Number(row[t.number]));
    const sets = t.fields.map((i) => readers[i](row[model.fields[i].column]));
    const keys = sets.reduce((all, set) => all.flatMap((k) => set.map((p) => [...k, p])), [[]]).map((k) => key(t, k, wide[n]));
    return keys.reduce((sum, k) => sum + (tables[n].get(k) ?? 0), total) + (keys.some((k) => pooled[n].has(k)) ? t.pooled.weight : 0);
  }, model.intercept));
}
for (const file of process.argv.slice(2)) {
  const model = JSON.parse(readFileSync(file, "utf-8")), predict = load(model);
  for (const { row, prediction } of model.tests) {
    const found = predict(row);
    if (!(Math.abs(found - prediction) <= 1e-9 * (1 + Math.abs(prediction)))) throw new Error(`${file}: ${JSON.stringify(row)}: ${found} is not ${prediction}`);
  }
}
