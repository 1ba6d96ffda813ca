// Chromium: `node chromium.mjs <executable> <page>`. The page leaves what it found in `found`, a promise.
import { chromium } from "playwright-core";

const [executablePath, page] = process.argv.slice(2);
// Debian's needs it where there is only root.
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const tab = await browser.newPage();
  await tab.goto(page);
  console.log(JSON.stringify(await tab.evaluate("found")));
} finally {
  await browser.close();
}
