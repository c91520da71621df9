//! The bubblewrap backend, with the real program.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "test code")]

use std::time::Duration;

use sandbox::*;
use serde_json::json;

fn script(language: Language, source: &str) -> Script {
    Script { language, image: None, name: format!("test.{}", language.extension()), source: source.into(), inputs: json!({"a": 2}).as_object().unwrap().clone(), files: vec![], output_files: vec![], result_variables: vec![] }
}

#[tokio::test]
async fn first() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path());
    settings.backend = BackendChoice::Bubblewrap;
    settings.languages = vec![Language::Python];
    let sandbox = Sandbox::open(&settings).await.unwrap();
    for probe in &sandbox.self_test().probes { eprintln!("{probe:?}"); }
    for (language, source) in [(Language::Python, "print('hi')\ndef main(inputs):\n    return inputs['a'] * 21"), (Language::Shell, "jq .a"), (Language::JavaScript, "return inputs.a * 21"),
      (Language::Python, "x = []\nwhile True: x.append(bytearray(10_000_000))"),
      (Language::Python, "while True: print('x'*1000)"),
      (Language::Python, "import os\nwhile True:\n  try: os.fork()\n  except BlockingIOError: pass"),
      (Language::Python, "import os\nos.fork() and os.fork()\nimport threading,time\nfor i in range(100): threading.Thread(target=time.sleep, args=(5,)).start()"),
      (Language::Python, "while True: pass"),
      (Language::Python, "import os\nos.kill(os.getpid(), 9)"),
      ] {
        let mut limits = *sandbox.limits();
        limits.timeout = Duration::from_secs(3);
        let begun = std::time::Instant::now();
        let mut report = sandbox.run(&script(language, source), &limits).await;
        if let Ok(report) = &mut report { report.stdout.truncate(100); }
        eprintln!("{source:?} {:?}\n  {report:?}", begun.elapsed());
    }
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        let report = sandbox.run(&script(Language::Python, "result = inputs['a']"), sandbox.limits()).await.unwrap();
        eprintln!("{:?} {:?}", begun.elapsed(), report.duration);
    }
}
