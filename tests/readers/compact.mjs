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
    const parts = format.formatToParts(new Date(zone === null ? `${text}Z` : text));
    const { year, month, day, ...rest } = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
    return { year, month, day, ...rest, weekday: (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7 }[part];
  };
}
function reader({ kind, rule, levels, normalize }) {
  const clean = (text) => (normalize ? text.normalize("NFC").trim() : text);
  const position = new Map(levels.map((level, i) => [level, i]));
  const binned = () => (rule.edges ? (x) => rule.edges.filter((edge) => edge <= x).length - 1 : widthBin(rule));
  const level = { bin: binned, date_part: () => datePart(rule), string: () => clean }[kind]?.() ?? ((v) => v);
  const words = (v) => (rule.separator === null ? v : v.split(rule.separator)).map(clean).filter((word) => word !== "");
  const items = (v) => (missing(v) ? [null] : kind === "list" ? words(v) : [level(v)]);
  return (v) => [...new Set(items(v))].map((item) => position.get(item)).filter((i) => i !== undefined);
}
function adder(model, t) { // what a term adds to the linear predictor of a row
  if (t.number) return (row) => t.weight * (t.log ? Math.log : t.float32 ? Math.fround : Number)(row[t.number]);
  const fields = t.fields.map((i) => model.fields[i]), readers = fields.map(reader), radices = fields.map((f) => f.levels.length);
  const wide = radices.reduce((n, size) => n * size, 1) > 2 ** 53, plain = (k) => (wide ? String(k) : k);
  const table = new Map(t.keys.map((k, i) => [plain(k), t.weights[i]])), rare = new Set(t.pooled?.keys.map(plain));
  const join = (places) => (wide ? String(places) : places.reduce((k, p, j) => k * radices[j] + p, 0));
  const cross = (all, set) => all.flatMap((k) => set.map((p) => [...k, p]));
  return (row) => {
    const keys = fields.map((f, i) => readers[i](row[f.column])).reduce(cross, [[]]).map(join);
    return keys.reduce((sum, k) => sum + (table.get(k) ?? 0), keys.some((k) => rare.has(k)) ? t.pooled.weight : 0);
  };
}
for (const file of process.argv.slice(2)) {
  const model = JSON.parse(readFileSync(file, "utf-8")), adders = model.terms.map((t) => adder(model, t));
  for (const { row, prediction } of model.tests) {
    const z = [model.intercept].flat(), near = (a, b) => Math.abs(a - b) <= 1e-9 * (1 + Math.abs(b));
    model.terms.forEach((t, n) => { z[t.output ?? 0] += adders[n](row); });
    const part = (v) => Math.exp(v - Math.max(...z)), total = z.reduce((sum, v) => sum + part(v), 0);
    const logit = (v) => 1 / (1 + Math.exp(-v)), softmax = (v) => part(v) / total;
    const found = z.map({ identity: (v) => v, log: Math.exp, logit, softmax }[model.link]);
    const right = [prediction].flat().every((v, k) => near(found[k], v));
    if (!right) throw new Error(`${file}: ${JSON.stringify(row)}: ${found}, not ${prediction}`);
  }
}
