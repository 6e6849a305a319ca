// The tiles a screen can hold. A tile is one file that exports `create(root, board)` and gives back
// `render(store, now)`, called when values have changed, and optionally `tick(store, now)`, called each second.
// `root` is the element with its name in `data-tile`; `now` is the server's clock in milliseconds.

import * as alerts from "./alerts.js";
import * as figures from "./figures.js";
import * as freshness from "./freshness.js";
import * as leaderboard from "./leaderboard.js";
import * as leads from "./leads.js";
import * as status from "./status.js";
import * as title from "./title.js";

export const TILES = { alerts, figures, freshness, leaderboard, leads, status, title };
