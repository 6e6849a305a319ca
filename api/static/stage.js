// The tiles of the scene that is shown. The next scene stands there whole before the one before it goes: no frame is empty.

import { element, setData } from "./dom.js";
import { TILES } from "./tiles/index.js";

/** @typedef {import("./tiles/index.js").Tile} Tile */
/** @typedef {import("./address.js").Scene} Scene */

export class Stage {
  constructor(/** @type {import("./tiles/index.js").Context} */ context) {
    this.context = context;
    this.node = element("div", "scene");
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {Tile[]} */
    this.tiles = [];
  }

  /** Shows the tiles of a scene in place of those that are shown. */
  show(/** @type {Scene} */ scene) {
    if (scene === this.scene) return;
    this.scene = scene;
    const before = { node: this.node, tiles: this.tiles };
    this.node = element("div", "scene");
    setData(this.node, "count", String(scene.tiles.length));
    setData(this.node, "scene", scene.name);
    setData(this.node, "figures", String(scene.tiles.filter((tile) => tile.kind === "figures").length));
    before.node.after(this.node);
    this.tiles = scene.tiles.map((settings) => mountTile(this.node, settings, this.context));
    before.node.remove();
    for (const tile of before.tiles) tile.destroy();
  }

  destroy() {
    for (const tile of this.tiles) tile.destroy();
    this.tiles = [];
    this.node.remove();
  }
}

/**
 * A tile of its kind, in an element of its own.
 * @param {HTMLElement} parent
 * @param {import("./address.js").TileSettings} settings
 * @param {import("./tiles/index.js").Context} context
 */
export function mountTile(parent, settings, context) {
  const root = element("section", "tile");
  setData(root, "tile", settings.kind);
  parent.append(root);
  const tile = new TILES[settings.kind](settings, context);
  tile.mount(root);
  return tile;
}
