// Runs in Modeler's window: tells it what `procos:…` elements are. What is given is ../procos-moddle.json, word for word,
// as a plug-in has to stand alone in its folder; a test compares the two.
(function () {
  const descriptor =
    {
      "name": "procos",
      "uri": "urn:procos:bpmn:1.0",
      "prefix": "procos",
      "xml": { "tagAlias": "lowerCase" },
      "types": [
        {
          "name": "Security",
          "superClass": ["Element"],
          "meta": { "allowedIn": ["bpmn:Process"] },
          "properties": [
            { "name": "allowedTasks", "type": "AllowedTasks" },
            { "name": "dataClassification", "type": "DataClassification" },
            { "name": "accessControl", "type": "AccessControl" },
            { "name": "encrypted", "type": "Encrypted" }
          ]
        },
        {
          "name": "AllowedTasks",
          "superClass": ["Element"],
          "properties": [{ "name": "tasks", "type": "Task", "isMany": true }]
        },
        {
          "name": "Task",
          "superClass": ["Element"],
          "properties": [
            { "name": "topic", "type": "String", "isAttr": true },
            { "name": "sandboxLevel", "type": "SandboxLevel", "isAttr": true }
          ]
        },
        {
          "name": "DataClassification",
          "superClass": ["Element"],
          "properties": [{ "name": "level", "type": "ClassificationLevel", "isAttr": true }]
        },
        {
          "name": "AccessControl",
          "superClass": ["Element"],
          "properties": [{ "name": "roles", "type": "String", "isAttr": true }]
        },
        {
          "name": "Encrypted",
          "superClass": ["Element"],
          "properties": [{ "name": "variables", "type": "String", "isAttr": true }]
        }
      ],
      "enumerations": [
        {
          "name": "SandboxLevel",
          "literalValues": [{ "name": "none" }, { "name": "low" }, { "name": "medium" }, { "name": "high" }]
        },
        {
          "name": "ClassificationLevel",
          "literalValues": [
            { "name": "public" },
            { "name": "internal" },
            { "name": "confidential" },
            { "name": "restricted" }
          ]
        }
      ]
    };
  window.plugins = window.plugins || [];
  window.plugins.push({ plugin: descriptor, type: "bpmn.modeler.moddleExtension" });
})();
