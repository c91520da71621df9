// A plug-in of Camunda Modeler: copy this folder into its `resources/plugins` and start it again.
module.exports = {
  name: "ProcOS",
  script: "./client.js",
};
