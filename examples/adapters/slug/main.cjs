// An adapter in JavaScript: reads one line of JSON, writes lines of JSON.
const request = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const slug = request.inputs.title
  .normalize("NFKD")
  .replace(/\p{Mark}/gu, "")
  .toLowerCase()
  .replace(/[^a-z0-9]+/g, "-")
  .replace(/^-|-$/g, "");
console.log(JSON.stringify(slug ? {answer: {slug}} : {failure: {message: "the title has no letters", retry: false}}));
