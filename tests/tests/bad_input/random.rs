//! Arguments that nobody has thought of.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::system::{Folder, System, USER_TASK, process};

const SEED: u64 = 20_240_531;
const CALLS: usize = 150;

/// Commands that end by themselves. `up`, `kernel` and `worker` would not, where the arguments happen to be right.
const COMMANDS: &[&str] = &[
    "status",
    "deploy",
    "start",
    "message",
    "signal",
    "ps",
    "incidents",
    "retry",
    "cancel",
    "show",
    "adapters",
    "config",
    "doctor",
    "completions",
    "help",
    "",
];

/// Parts that lead somewhere, besides pure noise.
const PARTS: &[&str] = &[
    "waits",
    "last",
    "show",
    "bash",
    "http",
    "procos_shutdow",
    "--json",
    "-v",
    "-vvvv",
    "--var",
    "a=1",
    "a={",
    "=",
    "a=\"",
    "--vars",
    "--business-key",
    "--wait",
    "0s",
    "1ms",
    "--tenant",
    "--key",
    "--all",
    "--limit",
    "-1",
    "5",
    "--dry-run",
    "--sources",
    "--config",
    "procos.yml",
    "/dev/null",
    "/",
    ".",
    "..",
    "order.bpmn",
    "--",
    "-",
    "--data-dir",
    "--help",
    "%s%n",
    "\u{1b}[31m",
    "\u{202e}",
    "é",
    "日本",
    "\n",
    "\t",
    "'",
    "\"",
    "`x`",
    "$(x)",
    "${x}",
    "../..",
    "a/b",
    "?",
    "#",
    "%2F",
    "%",
    "00000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];

fn argument(random: &mut StdRng) -> String {
    if random.random_bool(0.75) {
        return (*PARTS.choose(random).unwrap()).to_owned();
    }
    // NUL cannot be in an argument.
    let length = random.random_range(0..40);
    (0..length)
        .map(|_| char::from_u32(random.random_range(1..0x3000)).unwrap_or('x'))
        .collect()
}

#[test]
fn no_arguments_make_it_panic() {
    let system = System::shared();
    let folder = Folder::new("random");
    folder.write(
        "order.bpmn",
        process("order", USER_TASK).replace("task", "\u{202e}"),
    );
    folder.write("procos.yml", "");
    let mut random = StdRng::seed_from_u64(SEED);
    let data = system.data_dir();
    for call in 0..CALLS {
        let mut arguments = vec![(*COMMANDS.choose(&mut random).unwrap()).to_owned()];
        for _ in 0..random.random_range(0..5) {
            arguments.push(argument(&mut random));
        }
        let finished = tests::Procos::new(folder.path())
            .env("PROCOS_ENGINE__URL", system.engine_url())
            .env("PROCOS_HTTP__LISTEN", system.http_address())
            .env("PROCOS_DATA_DIR", &data)
            .args(&arguments)
            .run();
        let code = finished.code;
        let told = format!(
            "call {call}, {arguments:?}: {code:?}\n{}\n{}",
            finished.stdout, finished.stderr
        );
        assert!(matches!(code, Some(0..=3)), "{told}");
        assert!(!told.contains("panicked"), "{told}");
        assert!(
            code == Some(0) || !finished.stderr.trim().is_empty() || !finished.stdout.is_empty(),
            "no word: {told}"
        );
    }
}
