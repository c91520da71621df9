//! The table of codes, each with its help; each has a page in `pages/`.

use super::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $help:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code {
            code: $code,
            help: $help,
            page: include_str!(concat!("../pages/", $code, ".md")),
        };)*

        /// All of them, in the order of this page.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    /// The file is larger than the reader takes, in bytes or in elements.
    FILE_TOO_LARGE = "file-too-large",
        "split the model: move parts into processes of their own and reach them by call activities";
    /// It cannot be told for certain what the file's bytes mean.
    UNREADABLE_ENCODING = "unreadable-encoding",
        "save the file as UTF-8";
    /// The file is not well-formed XML.
    NOT_XML = "not-xml",
        "open the file in a text editor at this place and repair it, or save it anew with Camunda Modeler";
    /// The file has a document type declaration, through which XML can reach other files.
    DOCTYPE = "doctype",
        "remove the <!DOCTYPE …> declaration: BPMN needs none";
    /// Elements are nested deeper than the reader takes.
    TOO_DEEP = "too-deep",
        "move the inner subprocesses into processes of their own and reach them by call activities";
    /// The root element is not BPMN's `definitions`.
    NOT_BPMN = "not-bpmn",
        "give a BPMN 2.0 file, such as Camunda Modeler saves for Camunda Platform 7";
    /// The file has no process.
    NO_PROCESS = "no-process",
        "add a process with at least a start event; a diagram with empty pools alone cannot run";
    /// The file has processes, but the engine would skip them all in silence.
    NO_EXECUTABLE_PROCESS = "no-executable-process",
        "set isExecutable=\"true\" on the process (in Camunda Modeler: select the process, tick Executable)";
    /// A process has no id, so that nothing could start it.
    MISSING_PROCESS_ID = "missing-process-id",
        "give the process an id: it is the key by which it is started";
    /// The engine has no room for an id of that length.
    PROCESS_ID_TOO_LONG = "process-id-too-long",
        "give the process a shorter id: it is the key by which it is started";
    /// The engine refuses a process that does not say how long to keep its history (since Camunda 7.20).
    MISSING_HISTORY_TIME_TO_LIVE = "missing-history-time-to-live",
        "set camunda:historyTimeToLive on the process, such as P30D for thirty days";
    /// The engine cannot read how long to keep the history.
    INVALID_HISTORY_TIME_TO_LIVE = "invalid-history-time-to-live",
        "give whole days, as a number or like P30D: no other unit, no negative number";
    /// The engine takes an extension property without a name, and then cannot hand out the task: every worker that
    /// asks for its topic gets an error instead of tasks.
    NAMELESS_PROPERTY = "nameless-property",
        "give the property a name, or remove it";
    /// A part of `procos:security` that nobody reads: a policy with a misspelt rule is no policy.
    SECURITY_UNKNOWN_ELEMENT = "security-unknown-element",
        "write procos:security as docs and Modeler's descriptor have it: allowedTasks/task{topic, sandboxLevel}, dataClassification{level}, accessControl{roles}, encrypted{variables}";
    /// A level that is none.
    SECURITY_UNKNOWN_LEVEL = "security-unknown-level",
        "use one of the levels that the message lists, in small letters";
    /// A rule without what it rules.
    SECURITY_INCOMPLETE = "security-incomplete",
        "give the attribute that the message names, or remove the rule";
    /// Two policies: which of them counts would be a guess.
    SECURITY_TWICE = "security-twice",
        "put all rules into one procos:security";
    /// A policy where nobody reads it.
    SECURITY_MISPLACED = "security-misplaced",
        "put procos:security into the extensionElements of the process itself, not of a task, the collaboration or the file";
    /// A policy in a namespace that is nearly the right one.
    SECURITY_NAMESPACE = "security-namespace",
        "declare xmlns:procos=\"urn:procos:bpmn:1.0\" and write procos: before the names";
    /// A sandbox level that the topic's work cannot have.
    SANDBOX_LEVEL = "sandbox-level",
        "for topics that run code of users write low, medium or high, for others none, or leave sandboxLevel out";
    /// A topic that neither the process's own policy nor the operator's lists.
    TOPIC_NOT_ALLOWED = "topic-not-allowed",
        "add the topic to procos:allowedTasks, with the sandbox level that its work needs, or use another topic";
    /// An expression that the engine could not read, or that is too deep to be judged.
    EXPRESSION_SYNTAX = "expression-syntax",
        "repair the expression; where plain text is meant, write \\${ for ${";
    /// An expression that calls what is not on the list of what only reads data.
    EXPRESSION_CALL = "expression-call",
        "compute it in a task before, such as json_transform or python_script, and let the expression read the variable";
    /// An expression that reads an entry whose name it computes.
    EXPRESSION_COMPUTED_KEY = "expression-computed-key",
        "write the key as a text in quotes or a number, or pick the entry in a task before and read the variable";
    /// An expression that reaches for classes, class loaders, the engine or its services.
    EXPRESSION_FORBIDDEN_NAME = "expression-forbidden-name",
        "let a worker do it: an external task with a topic; rename the property where it is data of yours";
    /// An expression that uses the engine's own objects for more than ids, the business key and variables.
    EXPRESSION_ENGINE_OBJECT = "expression-engine-object",
        "read a variable by its name; of execution pass the ids, businessKey, getVariable and hasVariable alone";
    /// An expression that names what engines have as beans.
    EXPRESSION_BEAN = "expression-bean",
        "hand in what the process needs as a variable, under another name";
    /// A Java class that the engine loads: `camunda:class`.
    CODE_CLASS = "java-class",
        "make it an external task with a topic; `procos adapters` lists them";
    /// An object in the engine that is run: `camunda:delegateExpression`.
    DELEGATE_EXPRESSION = "delegate-expression",
        "make it an external task with a topic; `procos adapters` lists them";
    /// An expression as a task's work: `camunda:expression`.
    EXPRESSION_TASK = "expression-task",
        "map variables by input and output parameters, or make it an external task with a topic such as json_transform";
    /// A Java class that handles a form.
    FORM_HANDLER = "form-handler-class",
        "use a Camunda Form (camunda:formRef), and check its values in a task with the topic input_validation";
    /// A Java class or object that maps a call's variables.
    VARIABLE_MAPPING = "variable-mapping-class",
        "use camunda:in and camunda:out";
    /// A script in a resource.
    SCRIPT_RESOURCE = "script-resource",
        "use an external task with the topic python_script, javascript_script or shell_script, and its parameter script_path";
    /// A script task.
    SCRIPT_TASK = "script-task",
        "make it a service task with camunda:type=\"external\" and the topic python_script, javascript_script, shell_script or scilab_compute; the code goes into its input parameter script";
    /// A condition in a script language.
    SCRIPT_CONDITION = "script-condition",
        "write the condition as an expression ${…} or with language=\"feel\", or compute it in a task before";
    /// A script in a parameter or an extension.
    INPUT_SCRIPT = "input-script",
        "compute the value in a task before, with the topic json_transform or python_script";
    /// Code for a worker that the engine would evaluate first.
    SCRIPT_PARAMETER = "script-parameter",
        "put the code into a file beside the model and name it in the parameter script_path; give values by inputs";
    /// An execution listener.
    EXECUTION_LISTENER = "execution-listener",
        "put an external task with a topic before or after; for variables use input and output parameters";
    /// A task listener.
    TASK_LISTENER = "task-listener",
        "use the user task's own attributes, a boundary timer, or an external task with a topic before or after";
    /// A field of an object in the engine.
    FIELD_INJECTION = "field-injection",
        "use input parameters of an external task";
    /// A connector.
    CONNECTOR = "connector",
        "use an external task with the topic http_request";
    /// A command on the engine's machine.
    SHELL_TASK = "shell-task",
        "use camunda:type=\"external\" with the topic shell_script, which runs in a sandbox";
    /// Mail from inside the engine.
    MAIL_TASK = "mail-task",
        "use camunda:type=\"external\" with the topic email_send";
    /// A form field's validator.
    FORM_VALIDATOR = "form-validator",
        "use required, min, max, minlength, maxlength, readonly, or a task with the topic input_validation behind the form";
    /// Another file, by its address.
    IMPORT = "import",
        "remove the import; call services by an external task with the topic http_request";
    /// An address that the engine would fetch.
    SCHEMA_LOCATION = "schema-location",
        "remove the attribute: nothing reads those schemas";
    /// An element of a namespace that has no place there.
    FOREIGN_ELEMENT = "foreign-element",
        "remove it; what a tool of yours needs can be a camunda:property";
    /// An extension that the engine does not know.
    UNKNOWN_EXTENSION = "unknown-extension",
        "remove it, or correct its name";
    /// An expression where none is evaluated.
    UNKNOWN_PLACE = "expression-place",
        "remove it; where plain text is meant, write \\${ for ${";
    /// A case.
    CMMN = "cmmn",
        "model it in BPMN";
    /// FEEL that reaches for Java.
    FEEL_CODE = "feel-code",
        "compare and compute variables alone; prepare them in a task before";
    /// A script in a decision.
    DMN_SCRIPT = "dmn-script",
        "write it in FEEL, or decide in a task with the topic python_script";
    /// A file that is called as DMN and is none.
    NOT_DMN = "not-dmn",
        "give a DMN file, such as Camunda Modeler saves for Camunda Platform 7";
    /// A file that is called as a form and is none.
    NOT_A_FORM = "not-a-form",
        "open the form in Camunda Modeler and save it anew";
    /// A form without an id.
    FORM_WITHOUT_ID = "form-without-id",
        "give the form an id: user tasks refer to it";
    /// A gateway's flow with neither condition nor default.
    FLOW_WITHOUT_CONDITION = "flow-without-condition",
        "give the sequence flow a condition, or make it the gateway's default";
    /// A gateway that may find no way on.
    GATEWAY_WITHOUT_DEFAULT = "gateway-without-default",
        "make one of its sequence flows the default";
    /// A node that nothing leads to.
    UNREACHABLE = "unreachable",
        "draw a sequence flow to it, or remove it";
    /// A node that leads nowhere.
    DEAD_END = "dead-end",
        "draw a sequence flow on, at least to an end event";
    /// A reference to what is not there.
    UNRESOLVED_REFERENCE = "unresolved-reference",
        "correct the id, or add what it names";
    /// A timer that cannot be read.
    TIMER_SYNTAX = "timer-syntax",
        "write a date like 2030-01-31T12:00:00Z, a duration like PT15M, a cycle like R3/PT10M or a cron line of six or seven fields";
    /// A timer that does not fire any more.
    TIMER_IN_THE_PAST = "timer-in-the-past",
        "give a moment to come, a duration, or an expression";
    /// A key in two files.
    DUPLICATE_PROCESS = "duplicate-process",
        "give one of the two another id: the id is the key by which a process is started";
    /// A call of a process that is nowhere.
    UNKNOWN_CALL = "unknown-call",
        "correct the key, or deploy the process, too";
    /// Processes that call each other in a circle.
    CALL_RECURSION = "call-recursion",
        "see that a condition ends it; for repetition use a loop within one process";
    /// An exception that lets nothing pass.
    UNUSED_EXCEPTION = "unused-exception",
        "remove it from security.gate.allow, or correct its element and code";
    /// A process with very many ways through it.
    COMPLEX_PROCESS = "complex-process",
        "move parts into processes of their own and reach them by call activities";
    /// A topic that nobody works.
    TOPIC_WITHOUT_ROUTE = "topic-without-route",
        "correct the topic's name, or add a route in procos.yml; `procos adapters` lists the topics";
    /// Error codes that nothing catches.
    UNCAUGHT_ERROR = "uncaught-error",
        "add an error boundary event with the code, or without a code for all; where an incident is wanted, leave it";
}
