import { writeFileSync } from "node:fs";
import { pictureOf, THEMES, type Theme } from "./policies-picture.js";

// Draws docs/policies-light.svg and docs/policies-dark.svg, as previewPolicy says that the three waits are.
for (const theme of Object.keys(THEMES) as Theme[]) {
  writeFileSync(new URL(`../docs/policies-${theme}.svg`, import.meta.url), pictureOf(theme));
}
