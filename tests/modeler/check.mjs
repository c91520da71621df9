#!/usr/bin/env node
// Opens BPMN files as Camunda Modeler would and reports what a person would stumble over: see README.md.
import { mkdir, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openCanvas } from "./canvas.mjs";
import { lint } from "./lint.mjs";

const USAGE = `usage: check.mjs FILE… [--screenshots DIR]
       check.mjs --self-test`;
const FIXTURES = fileURLToPath(new URL("fixtures/", import.meta.url));

/** 0: all well. 1: findings. 2: wrong usage, a file that is not there, or no browser. */
async function main() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { screenshots: { type: "string" }, "self-test": { type: "boolean" } },
    });
    const models = values["self-test"] ? await fixtures() : positionals;
    if (models.length === 0) throw new Error(USAGE);
    if (values.screenshots) await mkdir(values.screenshots, { recursive: true });
    const texts = await Promise.all(models.map((file) => readFile(file, "utf8")));
    const verdict = values["self-test"] ? asExpected : tidy;
    return await run(models, texts, verdict, values.screenshots);
  } catch (error) {
    console.error(error.message);
    return 2;
  }
}

async function run(files, texts, verdict, screenshots) {
  const canvas = await openCanvas();
  let failed = 0;
  try {
    for (const [i, file] of files.entries()) {
      const picture = screenshots && join(screenshots, basename(file).replace(/\.bpmn$/, "") + ".png");
      const answer = await canvas.inspect(texts[i], picture);
      const complaints = verdict([...answer.findings, ...(await lint(texts[i]))], texts[i]);
      failed += complaints.length > 0;
      console.log(complaints.length ? `✗  ${file}` : `ok ${file} (${answer.shapes} shapes, ${answer.edges} flows)`);
      complaints.forEach((line) => console.log(`     ${line}`));
    }
  } finally {
    await canvas.close();
  }
  console.log(`${files.length - failed} passed, ${failed} failed`);
  return failed ? 1 : 0;
}

const tidy = (findings) => findings.map(({ code, message }) => `${code}: ${message}`);

/** Each fixture says in a comment which findings it must give, no more and no fewer. */
function asExpected(findings, text) {
  const comment = /<!-- expect:(.*?)-->/.exec(text);
  if (!comment) return ["has no comment `<!-- expect: CODE, … -->`"];
  const expected = new Set(comment[1].split(",").map((code) => code.trim()).filter((code) => code && code !== "nothing"));
  const found = new Set(findings.map(({ code }) => code));
  return [
    ...[...expected].filter((code) => !found.has(code)).map((code) => `not found: ${code}`),
    ...findings.filter(({ code }) => !expected.has(code)).map(({ code, message }) => `not expected: ${code}: ${message}`),
  ];
}

async function fixtures() {
  const names = (await readdir(FIXTURES)).filter((name) => name.endsWith(".bpmn")).sort();
  return names.map((name) => join(FIXTURES, name));
}

process.exitCode = await main();
