//! The same model in other words.

/// How else the engine lets it be written. Each takes a model with marks and gives one with marks.
pub(crate) type Spelling = (&'static str, fn(&str) -> String);

pub(crate) const SPELLINGS: &[Spelling] = &[
    ("as it is", str::to_owned),
    ("other prefixes", |text| {
        rename(&rename(text, "bpmn", "semantic"), "camunda", "c")
    }),
    ("a default namespace", |text| {
        text.replace("<bpmn:", "<")
            .replace("</bpmn:", "</")
            .replace("xmlns:bpmn=", "xmlns=")
            .replace("\"bpmn:tFormalExpression", "\"tFormalExpression")
            .replace("'bpmn:tFormalExpression", "'tFormalExpression")
            // What was in no prefix was in no namespace before.
            .replace("<b>Markup</b>", "")
    }),
    ("Activiti's namespace", |text| {
        text.replace("http://camunda.org/schema/1.0/bpmn", "http://activiti.org/bpmn")
    }),
    ("namespaces with character references", |text| {
        text.replace(
            "http://camunda.org/schema/1.0/bpmn",
            "http://camunda.org/schema/1&#46;0/bpm&#x6e;",
        )
        .replace(
            "http://www.omg.org/spec/BPMN/20100524/MODEL\" xmlns",
            "http://www.omg.org/spec/BPMN/20100524/MODE&#76;\" xmlns",
        )
    }),
    ("a prefix declared anew inside", |text| {
        text.replace(
            "xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\"",
            "xmlns:camunda=\"urn:nobody\"",
        )
        .replace(
            "isExecutable=\"true\"",
            "xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\" isExecutable=\"true\"",
        )
        .replace(
            "<bpmn:error id",
            "<bpmn:error xmlns:camunda='http://camunda.org/schema/1.0/bpmn' id",
        )
    }),
    ("nested subprocesses", |text| {
        text.replace("{{open}}", "<bpmn:startEvent id='s0'/><bpmn:sequenceFlow id='f0' sourceRef='s0' targetRef='outer'/><bpmn:subProcess id='outer'><bpmn:startEvent id='s00'/><bpmn:sequenceFlow id='f00' sourceRef='s00' targetRef='inner'/><bpmn:subProcess id='inner'>")
            .replace("{{close}}", "</bpmn:subProcess><bpmn:sequenceFlow id='f01' sourceRef='inner' targetRef='e00'/><bpmn:endEvent id='e00'/></bpmn:subProcess><bpmn:sequenceFlow id='f02' sourceRef='outer' targetRef='e0'/><bpmn:endEvent id='e0'/>")
    }),
    ("a transaction in an event subprocess", |text| {
        text.replace("{{open}}", "<bpmn:startEvent id='s0'/><bpmn:sequenceFlow id='f0' sourceRef='s0' targetRef='e0'/><bpmn:endEvent id='e0'/><bpmn:subProcess id='outer' triggeredByEvent='true'><bpmn:startEvent id='s00'><bpmn:timerEventDefinition><bpmn:timeDuration>PT1H</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:startEvent><bpmn:sequenceFlow id='f00' sourceRef='s00' targetRef='inner'/><bpmn:transaction id='inner'>")
            .replace("{{close}}", "</bpmn:transaction><bpmn:sequenceFlow id='f01' sourceRef='inner' targetRef='e00'/><bpmn:endEvent id='e00'/></bpmn:subProcess>")
    }),
    ("a second process", |text| {
        text.replace("<bpmn:process id=\"main\"", "<bpmn:process id=\"other\" isExecutable=\"true\" camunda:historyTimeToLive=\"1\"><bpmn:startEvent id=\"os\"/><bpmn:sequenceFlow id=\"of\" sourceRef=\"os\" targetRef=\"oe\"/><bpmn:endEvent id=\"oe\"/></bpmn:process><bpmn:process id=\"main\"")
    }),
    ("#{}", |text| text.replace("${", "#{")),
    ("character references", |text| {
        text.replace("${", "&#36;&#x7B;")
            .replace("x.y()", "x&#46;y&#40;)")
    }),
    ("Windows' lines", |text| text.replace('\n', "\r\n")),
    ("a byte order mark", |text| format!("\u{feff}{text}")),
    ("blanks in tags", |text| {
        text.replace("/>", "\t/>").replace("='", " = '")
    }),
    ("CDATA", |text| text.replace('⟦', "<![CDATA[").replace('⟧', "]]>")),
    ("CDATA in halves", |text| {
        split(text, "<![CDATA[$]]><![CDATA[{", "<![CDATA[", "]]>")
    }),
    ("a comment within", |text| split(text, "$<!-- no -->{", "", "")),
    ("a processing instruction within", |text| {
        split(text, "$<?no ?>{", "", "")
    }),
    ("references within", |text| {
        split(text, "&#x24;<!---->&#123;", "", "")
    }),
];

fn rename(text: &str, from: &str, to: &str) -> String {
    text.replace(&format!("{from}:"), &format!("{to}:"))
        .replace(&format!("xmlns:{from}="), &format!("xmlns:{to}="))
        .replace(&format!("urn:procos:{to}:"), &format!("urn:procos:{from}:"))
}

/// Writes the beginning of an expression in marked text otherwise.
fn split(text: &str, begin: &str, open: &str, close: &str) -> String {
    let mut all = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('⟦') {
        let (marked, after) = after.split_once('⟧').unwrap();
        all.push_str(before);
        match marked.split_once("${") {
            Some((head, tail)) if !open.is_empty() => {
                all.push_str(&format!("{open}{head}{close}{begin}{tail}{close}"));
            }
            Some((head, tail)) => all.push_str(&format!("{head}{begin}{tail}")),
            None => all.push_str(marked),
        }
        rest = after;
    }
    all + rest
}
