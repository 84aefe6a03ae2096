// Clicks through the pages as `run` serves them, and says what was found.
//
//   node pages.cjs BASE FOLDER PICTURES      FOLDER/listening is made when the page listens to what is new
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [base, folder, pictures] = process.argv.slice(2);
const FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const PATIENCE = 120000; // milliseconds; the machine may be busy

let passed = 0;
let failed = 0;
function hold(what, is, told = "") {
  if (is) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED: ${what}${told ? `: ${told}` : ""}`);
  }
}

// A page whose every fault is noted: errors, dialogs, requests to anywhere else.
async function open(browser, options) {
  const context = await browser.newContext({ timezoneId: "America/New_York", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.faults = [];
  page.on("console", (message) => { if (message.type() === "error" || message.type() === "warning") page.faults.push(message.text()); });
  page.on("pageerror", (error) => page.faults.push(error.message));
  page.on("dialog", (dialog) => { page.faults.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (!request.url().startsWith(base)) page.faults.push(`asks ${request.url()}`); });
  page.on("requestfailed", (request) => { if (!request.url().endsWith("/events") && request.failure()?.errorText !== "net::ERR_ABORTED") page.faults.push(`failed ${request.url()}`); });
  return page;
}

async function look(page, name) {
  await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  hold(`${name} fits its width`, wide <= 0, `${wide} too wide`);
  // The policy lets no page add a script to itself; this comes through the debugger.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  const serious = violations.filter((it) => ["serious", "critical"].includes(it.impact));
  const told = serious.map((it) => `${it.id} at ${it.nodes.slice(0, 3).map((node) => node.target).join(", ")}`);
  hold(`${name} hinders nobody`, serious.length === 0, told.join("; "));
  hold(`${name} runs no words of posts`, !(await page.title()).includes("owned"));
}

async function clickThrough(browser, name, options) {
  const page = await open(browser, options);
  await page.goto(base);
  await page.locator("main time", { hasText: "EDT" }).first().waitFor();
  hold(`${name}: what is down is said first`, (await page.textContent("h1")).startsWith("TikTok is "));
  hold(`${name}: a state is a word`, /down|recovering/.test(await page.textContent(".story .badge")));
  await look(page, `${name}-home`);

  await page.click(".story h2 a");
  await page.waitForSelector("article.timeline");
  hold(`${name}: an incident in progress reads as one`, /so far|after/.test(await page.textContent("h1")));
  hold(`${name}: the chart and the map are drawn`, (await page.locator(".timeline .chart, .timeline .map").count()) === 2);
  const evidence = page.locator("blockquote cite a").first();
  hold(`${name}: evidence leads to the post`, /^https?:\/\//.test(await evidence.getAttribute("href")));
  hold(`${name}: hostile words are shown as words`, (await page.textContent(".timeline")).includes("<img src=x onerror="));
  await look(page, `${name}-incident`);

  await page.click("text=All about TikTok");
  await page.waitForSelector("#rhythm");
  hold(`${name}: day and week are drawn`, (await page.locator("svg.chart").count()) === 2);
  await look(page, `${name}-service`);

  await page.fill("#q", "tik tok");
  await page.press("#q", "Enter");
  await page.waitForURL("**/services/tiktok");
  hold(`${name}: a service is found by its name`, true);
  hold(`${name}: no fault`, page.faults.length === 0, page.faults.join("; "));

  await page.fill("#q", "goo");
  await page.press("#q", "Enter");
  await page.waitForSelector("#found");
  hold(`${name}: a part of a name finds all that have it`, (await page.locator("section .services li").count()) > 1);
  await look(page, `${name}-search`);

  const answer = await page.goto(`${base}/services/tiktik`);
  hold(`${name}: an unknown service is 404`, answer.status() === 404);
  hold(`${name}: it leads to the one that was meant`, (await page.getAttribute("main a", "href")) === "/services/tiktok");
  await look(page, `${name}-unknown`);
  await page.context().close();
}

async function withoutScript(browser) {
  const page = await open(browser, { javaScriptEnabled: false });
  await page.goto(base);
  hold("without JavaScript all is there", (await page.textContent("h1")).startsWith("TikTok is "));
  await page.click(".story h2 a");
  hold("without JavaScript a link leads on", (await page.locator("article.timeline").count()) === 1);
  await page.context().close();
}

async function byKeyboard(browser) {
  const page = await open(browser, {});
  await page.goto(base);
  await page.keyboard.press("Tab");
  hold("the first stop skips to the content", (await page.evaluate(() => document.activeElement.className)) === "skip");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  hold("the next stop is within it", await page.evaluate(() => document.getElementById("main").contains(document.activeElement)));
  await page.context().close();
}

async function live(browser) {
  const page = await open(browser, {});
  await page.goto(base);
  await page.evaluate(() => { window.same = true; });
  await page.locator("#live", { hasText: "updates itself" }).waitFor();
  fs.writeFileSync(path.join(folder, "listening"), "");
  const turned = page.locator("h1", { hasText: "Nothing is known to be down" });
  const came = await turned.waitFor({ timeout: 4 * PATIENCE }).then(() => true, () => false);
  hold("an open page tells the end", came, await page.textContent("h1"));
  hold("without being loaded anew", await page.evaluate(() => window.same === true));
  hold("and says so to who cannot see", (await page.textContent("#live")).startsWith("Updated:"));
  await page.click(".incidents a");
  await page.waitForSelector("article.timeline");
  hold("a finished incident reads as a report", (await page.textContent("h1")).includes("TikTok was down for"));
  hold("live: no fault", page.faults.length === 0, page.faults.join("; "));
  await look(page, "desktop-finished");
  await page.context().close();
}

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS.split(" ") });
  try {
    for (const [size, viewport] of [["phone", { width: 390, height: 844 }], ["desktop", { width: 1280, height: 900 }]]) {
      for (const colorScheme of ["light", "dark"]) await clickThrough(browser, `${size}-${colorScheme}`, { viewport, colorScheme });
    }
    await withoutScript(browser);
    await byKeyboard(browser);
    await live(browser);
  } catch (error) {
    hold("the browser comes to its end", false, error.message);
  }
  await browser.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
})();
