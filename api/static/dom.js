// Making and changing elements. All text goes in as text, never as markup: names come from CRMs.
// What an element shows is decided in tiles/.

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} className
 * @param {...(Node | string)} children
 */
export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Names may be written from right to left, whatever the page is. */
export function nameElement(/** @type {string} */ className) {
  return element("span", className + " name-text");
}

/**
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * @param {HTMLElement} node
 * @param {string} key
 * @param {string} value
 */
export function setData(node, key, value) {
  if (node.dataset[key] !== value) node.dataset[key] = value;
}

/**
 * Makes the children of `parent` exactly `nodes`, in this order, moving as few as possible.
 * @param {Element} parent
 * @param {Element[]} nodes
 */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of Array.from(parent.children)) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] || null);
  });
}

/**
 * Draws `share` (0 to 1) of a bar, from where reading begins.
 * @param {HTMLElement} bar
 * @param {number} share
 */
export function fillBar(bar, share) {
  bar.style.transform = "scaleX(" + share.toFixed(4) + ")";
}

/**
 * Puts a mark at `share` (0 to 1) of a bar, from where reading begins.
 * @param {HTMLElement} mark
 * @param {number | null} share null: there is none
 */
export function placeMark(mark, share) {
  mark.hidden = share === null;
  mark.style.marginInlineStart = (100 * (share || 0)).toFixed(2) + "%";
}

/**
 * Lets names that do not fit into their lines take two, in smaller letters, or in the smallest that can be read; `key` says
 * what a name stands beside, so that none is measured again for nothing. All are written before the first is measured.
 * @param {{ name: HTMLElement, key: string }[]} places
 */
export function fitNames(places) {
  const stale = places.filter(({ name, key }) => name.dataset.fits !== key);
  for (const { name, key } of stale) {
    name.dataset.fits = key;
    name.classList.remove("long", "longest");
  }
  const long = stale.filter(({ name }) => name.scrollWidth > name.clientWidth);
  for (const { name } of long) name.classList.add("long");
  const longest = long.filter(({ name }) => name.scrollHeight > name.clientHeight + 2);
  for (const { name } of longest) name.classList.add("longest");
}

/**
 * The first of `texts` that fits into `node` on one line; the last, smaller, if none does: a number is never cut off.
 * @param {HTMLElement} node
 * @param {string[]} texts
 * @param {number} [smallest] how small, as a share of the usual size
 */
export function fitText(node, texts, smallest = 0.4) {
  if (node.style.fontSize) node.style.fontSize = "";
  for (const text of texts) {
    setText(node, text);
    if (node.scrollWidth <= node.clientWidth) return;
  }
  const size = parseFloat(getComputedStyle(node).fontSize) * Math.max(smallest, node.clientWidth / node.scrollWidth);
  node.style.fontSize = Math.floor(size) + "px";
}

/**
 * Rows of at least `minimum` rem, `gap` rem apart, that a list of this height holds. Where the page scrolls there is
 * room for all. The first of them may need `more` than the others.
 * @param {HTMLElement} list
 * @param {number} minimum
 * @param {number} gap
 * @param {number} [more]
 */
export function rowCapacity(list, minimum, gap, more = 0) {
  if (isPhone()) return Infinity;
  return Math.max(1, Math.floor((heightOf(list) + gap - more) / (minimum + gap)));
}

/** The height of an element, in rem. */
function heightOf(/** @type {HTMLElement} */ node) {
  return node.clientHeight / parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/**
 * How large the words of so many rows may be, that share the height of a list.
 * @param {HTMLElement} list
 * @param {number} count
 * @returns {"small" | "medium" | "large" | "huge"}
 */
export function rowSize(list, count) {
  const height = isPhone() ? 0 : heightOf(list) / Math.max(1, count);
  return height > 26 ? "huge" : height > 9.5 ? "large" : height > 5.4 ? "medium" : "small";
}

/** How many of the children of a list stand on its first line; those that do not fit wrap below what is seen. */
export function onFirstLine(/** @type {HTMLElement} */ list) {
  const nodes = /** @type {HTMLElement[]} */ (Array.from(list.children));
  return nodes.filter((node) => node.offsetTop === nodes[0].offsetTop).length;
}

/** Whether the screen is held in a hand: tiles one below the other, and the page scrolls. As in board.css. */
export function isPhone() {
  return window.matchMedia("(max-width: 600px), (max-height: 480px)").matches;
}
