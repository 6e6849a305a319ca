// The signs of states, each drawn on a 24 x 24 grid; every state has its own outline, so that colour is never the only
// sign.

const SVG = "http://www.w3.org/2000/svg";

/** @type {Record<string, { filled?: string[], lines?: string[] }>} */
const ICONS = {
  live: { filled: ["M12 5a7 7 0 1 0 0 14a7 7 0 1 0 0-14z"] },
  new: { lines: ["M12 5v14", "M5 12h14"] },
  delayed: { lines: ["M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18z", "M12 7v5.5l3.5 2"] },
  stale: { lines: ["M6 3h12", "M6 21h12", "M7.5 3v4l4.5 5l-4.5 5v4", "M16.5 3v4l-4.5 5l4.5 5v4"] },
  disconnected: { lines: ["M5 5l14 14", "M19 5l-14 14"] },
  refused: { lines: ["M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18z", "M6 6l12 12"] },
  waiting: { lines: ["M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16z"] },
  warned: { lines: ["M12 3.5l9.5 17h-19z", "M12 10v4.5", "M12 17.6v.2"] },
  breached: { lines: ["M8.3 3h7.4l5.3 5.3v7.4l-5.3 5.3h-7.4l-5.3-5.3v-7.4z", "M12 7.5v5.5", "M12 16.4v.2"] },
  escalated: { lines: ["M5 12.5l7-7l7 7", "M5 19.5l7-7l7 7"] },
  won: { filled: ["M12 2.5l2.9 6.2l6.8.8l-5 4.7l1.3 6.8l-6-3.4l-6 3.4l1.3-6.8l-5-4.7l6.8-.8z"] },
  ahead: { lines: ["M5 17l7-8l7 8"] },
  behind: { lines: ["M5 8l7 8l7-8"] },
  closed: { lines: ["M20 14.5a8.5 8.5 0 1 1-10.5-10.5a7 7 0 0 0 10.5 10.5z"] },
  done: { lines: ["M4.5 12.5l5 5l10-11"] },
};

/** A sign; those who hear the page are told its meaning by the word beside it. */
export function icon(/** @type {string} */ name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  draw(svg, name);
  return svg;
}

/**
 * @param {SVGElement} svg
 * @param {string} name
 */
export function setIcon(svg, name) {
  if (svg.dataset.icon === name) return;
  svg.textContent = "";
  draw(svg, name);
}

/**
 * @param {SVGElement} svg
 * @param {string} name
 */
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

/**
 * A QR code as the server has made it, with the light edge that cameras want.
 * @param {{ size: number, path: string }} code
 */
export function codeSign({ size, path: d }) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "code");
  svg.setAttribute("viewBox", [-4, -4, size + 8, size + 8].join(" "));
  svg.setAttribute("aria-hidden", "true");
  svg.append(path(d, { stroke: "#000", "shape-rendering": "crispEdges" }));
  return svg;
}

/**
 * @param {string} d
 * @param {Record<string, string>} attributes
 */
function path(d, attributes) {
  const node = document.createElementNS(SVG, "path");
  node.setAttribute("d", d);
  for (const key of Object.keys(attributes)) node.setAttribute(key, attributes[key]);
  return node;
}
