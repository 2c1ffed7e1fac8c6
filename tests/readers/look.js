() => {
  const root = document.documentElement;
  const out = { overflow: root.scrollWidth > root.clientWidth, small: [], scroll: [], overlap: [], faint: [] };
  const shown = [...document.body.querySelectorAll("*")].filter((e) => e.checkVisibility());
  const own = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const rgb = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const light = (color) => {
    const [r, g, b] = color.map((x) => (x / 255 <= 0.03928 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (let node = e; node; node = node.parentElement) {
      const color = rgb(getComputedStyle(node).backgroundColor);
      if (color.length === 3 || color[3] > 0.99) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };
  for (const e of shown) {
    const style = getComputedStyle(e);
    const words = (e.textContent || "").trim().slice(0, 30);
    if (own(e)) {
      const svg = e.ownerSVGElement;
      const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
      if (parseFloat(style.fontSize) * scale < 10.5) out.small.push(words);
      const pair = [light(rgb(svg ? style.fill : style.color).slice(0, 3)), light(behind(e))].sort((a, b) => b - a);
      if ((pair[0] + 0.05) / (pair[1] + 0.05) < 4.5) out.faint.push(words);
    }
    if (/auto|scroll/.test(style.overflowX + style.overflowY)) out.scroll.push(e.className);
    if (e.getBoundingClientRect().right > root.clientWidth + 1) out.scroll.push([e.tagName, words]);
  }
  for (const svg of shown.filter((e) => e.matches("svg.chart"))) {
    const texts = [...svg.querySelectorAll("text")].map((e) => [e.textContent, e.getBoundingClientRect()]);
    texts.forEach(([name, a], i) => {
      for (const [other, b] of texts.slice(i + 1)) {
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (width > 1 && height > 3) out.overlap.push([name, other]);
      }
    });
  }
  return out;
}
