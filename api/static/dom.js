// Making and changing elements. All text goes in as text, never as markup: names come from CRMs.
// What an element shows is decided in tiles/.

const SVG = "http://www.w3.org/2000/svg";

// Each drawn on a 24 x 24 grid; every state has its own outline, so that colour is never the only sign.
const ICONS = {
  live: { filled: ["M12 5a7 7 0 1 0 0 14a7 7 0 1 0 0-14z"] },
  delayed: { lines: ["M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18z", "M12 7v5.5l3.5 2"] },
  stale: { lines: ["M6 3h12", "M6 21h12", "M7.5 3v4l4.5 5l-4.5 5v4", "M16.5 3v4l-4.5 5l4.5 5v4"] },
  disconnected: { lines: ["M5 5l14 14", "M19 5l-14 14"] },
  waiting: { lines: ["M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16z"] },
  warned: { lines: ["M12 3.5l9.5 17h-19z", "M12 10v4.5", "M12 17.6v.2"] },
  breached: { lines: ["M8.3 3h7.4l5.3 5.3v7.4l-5.3 5.3h-7.4l-5.3-5.3v-7.4z", "M12 7.5v5.5", "M12 16.4v.2"] },
  escalated: { lines: ["M5 12.5l7-7l7 7", "M5 19.5l7-7l7 7"] },
  done: { lines: ["M4.5 12.5l5 5l10-11"] },
};

export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Names may be written from right to left, whatever the page is. */
export function nameElement(className) {
  const node = element("span", className);
  node.dir = "auto";
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setData(node, key, value) {
  if (node.dataset[key] !== value) node.dataset[key] = value;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  draw(svg, name);
  return svg;
}

export function setIcon(svg, name) {
  if (svg.dataset.icon === name) return;
  svg.textContent = "";
  draw(svg, name);
}

function draw(svg, name) {
  svg.dataset.icon = name;
  const shape = ICONS[name] || ICONS.waiting;
  for (const d of shape.filled || []) svg.append(path(d, { fill: "currentColor" }));
  for (const d of shape.lines || []) {
    svg.append(path(d, {
      fill: "none", stroke: "currentColor", "stroke-width": "2.6", "stroke-linecap": "round", "stroke-linejoin": "round",
    }));
  }
}

function path(d, attributes) {
  const node = document.createElementNS(SVG, "path");
  node.setAttribute("d", d);
  for (const key of Object.keys(attributes)) node.setAttribute(key, attributes[key]);
  return node;
}

/** Makes the children of `parent` exactly `nodes`, in this order, moving as few as possible. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of Array.from(parent.children)) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] || null);
  });
}

/** Pushes a bar out of its row to the left, so that `share` of it (0 to 1) is seen. */
export function fillBar(bar, share) {
  bar.style.transform = "translateX(" + ((share - 1) * 100).toFixed(2) + "%)";
}

/** The first of `texts` that fits into `node` on one line; the last if none does. */
export function fitText(node, texts) {
  for (const text of texts) {
    setText(node, text);
    if (node.scrollWidth <= node.clientWidth) return;
  }
}

/** Rows of at least `minimum` rem, `gap` rem apart, that a list of this height holds. */
export function rowCapacity(list, minimum, gap) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return Math.max(1, Math.floor((list.clientHeight + gap * rem) / ((minimum + gap) * rem)));
}
