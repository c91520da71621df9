// Camunda Modeler's canvas in a headless Chromium that has no way to any network.
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ORIGIN = "http://modeler.invalid";
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript" };
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Opens the page that judges drawings: see page/inspect.mjs. */
export async function openCanvas() {
  const { browser, page, trouble } = await open("index.html", () => window.inspect && window.BpmnModeler);
  return {
    /** Opens the model and answers what page/inspect.mjs finds; writes a picture where `picture` names a file. */
    async inspect(xml, picture) {
      trouble.length = 0;
      const answer = await page.evaluate((text) => window.inspect(text), xml);
      answer.findings.push(...trouble.map((message) => ({ code: "page-error", message })));
      if (picture && answer.size) {
        const { width, height } = answer.size;
        await page.setViewportSize({ width, height });
        await page.evaluate((size) => window.fit(size), answer.size);
        await page.screenshot({ path: picture });
      }
      return answer;
    },
    close: () => browser.close(),
  };
}

/** Opens the page that applies element templates: see page/form.mjs. Its functions are methods here. */
export async function openForm() {
  const { browser, page, trouble } = await open("form.html", () => window.apply && window.BpmnModeler);
  return {
    /** Answers {xml, errors}; what the page stumbles over is among the errors. */
    async apply(...given) {
      trouble.length = 0;
      const { xml, errors } = await page.evaluate((args) => window.apply(...args), given);
      return { xml, errors: [...errors, ...trouble] };
    },
    /** Answers the groups with their fields; writes a picture of the form where `picture` names a file. */
    async show(id, unfolded, picture) {
      const groups = await page.evaluate((args) => window.show(...args), [id, unfolded]);
      if (picture) await page.locator("#properties").screenshot({ path: picture });
      return groups;
    },
    close: () => browser.close(),
  };
}

/**
 * Starts the browser, with a profile of its own that goes with it.
 * `CHROMIUM` names another program than Debian's /usr/bin/chromium.
 */
async function open(file, isReady) {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS }).catch((error) => {
    throw new Error(`cannot start ${executablePath}: install it (apt-get install chromium) or set CHROMIUM\n${error.message}`);
  });
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 }, deviceScaleFactor: 2 });
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(error.message));
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  await page.route("**/*", serve);
  await page.goto(`${ORIGIN}/page/${file}`);
  await page.waitForFunction(isReady);
  return { browser, page, trouble };
}

async function serve(route) {
  const url = new URL(route.request().url());
  const file = join(HERE, normalize(url.pathname));
  if (url.origin !== ORIGIN || !file.startsWith(HERE)) return route.abort();
  try {
    await route.fulfill({ body: await readFile(file), contentType: TYPES[extname(file)] });
  } catch {
    await route.fulfill({ status: 404, body: `no such file: ${file}` });
  }
}
