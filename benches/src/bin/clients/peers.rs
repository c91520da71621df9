//! Other people's clients: installing and starting them. Their drivers are in `benches/peers`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use benches::{Setup, workspace};
use tokio::process::Command;

/// A registry's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Java,
    Node,
    Python,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Node => "node",
            Self::Python => "python",
        }
    }

    /// What decides whether it must be installed again, below its folder.
    fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Java => &["pom.xml", "src/main/java/Bench.java"],
            Self::Node => &["package.json", "package-lock.json", "bench.js"],
            Self::Python => &["requirements.txt", "bench.py"],
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Java => "it needs a JDK from 17 on and Maven: `apt-get install default-jdk-headless maven`",
            Self::Node => "it needs Node from 18 on and npm: `apt-get install nodejs npm`",
            Self::Python => "it needs Python from 3.9 on and venv: `apt-get install python3 python3-venv`",
        }
    }

    /// The version of the client, as the driver names it.
    pub(crate) fn version(self) -> anyhow::Result<String> {
        let (file, before, after) = match self {
            Self::Java => (
                "pom.xml",
                "<artifactId>camunda-external-task-client</artifactId>",
                "</version>",
            ),
            Self::Node => ("package.json", "\"camunda-external-task-client-js\": \"", "\""),
            Self::Python => ("requirements.txt", "camunda-external-task-client-python3==", "\n"),
        };
        let text = read(&self.from().join(file))?;
        let version = text
            .split_once(before)
            .and_then(|(_, rest)| rest.split_once(after))
            .map(|(version, _)| version.trim().trim_start_matches("<version>").to_owned());
        version.with_context(|| format!("{file} names no version of the client"))
    }

    /// The call that tells the version of what it runs on.
    pub(crate) fn platform(self) -> Command {
        let mut command = Command::new(match self {
            Self::Java => "java",
            Self::Node => "node",
            Self::Python => "python3",
        });
        command.arg("--version");
        command
    }

    fn from(self) -> PathBuf {
        workspace().join("benches/peers").join(self.name())
    }

    fn to(self) -> PathBuf {
        workspace().join("target/peers").join(self.name())
    }

    /// Installs it where it is not yet, from its registry.
    ///
    /// # Errors
    /// Where that fails, with what was said and what it needs.
    pub(crate) async fn install(self) -> anyhow::Result<()> {
        let (from, to) = (self.from(), self.to());
        let mut sources = String::new();
        for source in self.sources() {
            sources.push_str(&read(&from.join(source))?);
        }
        let stamp = to.join("installed");
        if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == sources) {
            return Ok(());
        }
        eprintln!("installing the {} client into {}", self.name(), to.display());
        std::fs::create_dir_all(&to).with_context(|| to.display().to_string())?;
        match self {
            Self::Java => {
                let folder = format!("-Dbench.folder={}", to.display());
                let pom = from.join("pom.xml");
                let mut mvn = Command::new("mvn");
                mvn.args(["-B", "-q", "-f"]).arg(pom).arg(folder);
                self.run(mvn.args(["compile", "dependency:copy-dependencies"]))
                    .await?;
            }
            Self::Node => {
                for source in self.sources() {
                    std::fs::copy(from.join(source), to.join(source))
                        .with_context(|| (*source).to_owned())?;
                }
                let mut npm = Command::new("npm");
                self.run(npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&to))
                    .await?;
            }
            Self::Python => {
                let mut venv = Command::new("python3");
                self.run(venv.args(["-m", "venv"]).arg(&to)).await?;
                let mut pip = Command::new(to.join("bin/pip"));
                let requirements = from.join("requirements.txt");
                self.run(pip.args(["install", "--quiet", "-r"]).arg(requirements))
                    .await?;
            }
        }
        std::fs::write(&stamp, sources).with_context(|| stamp.display().to_string())
    }

    async fn run(self, command: &mut Command) -> anyhow::Result<()> {
        let said = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let failed = match said {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => format!(
                "{}\n{}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(error) => error.to_string(),
        };
        bail!(
            "the {} client cannot be installed: {:?}: {failed}\n{}; or leave it out with --clients",
            self.name(),
            command.as_std(),
            self.remedy()
        )
    }

    /// The call of its driver.
    pub(crate) fn command(self, setup: &Setup, folder: &Path) -> Command {
        let to = self.to();
        match self {
            Self::Java => {
                let mut java = setup.command(Path::new("java"), folder);
                let path = format!("{0}/classes:{0}/dependency/*", to.display());
                java.args(["-cp", &path, "Bench"]);
                java
            }
            Self::Node => {
                let mut node = setup.command(Path::new("node"), folder);
                node.arg(to.join("bench.js"));
                node
            }
            Self::Python => {
                let mut python = setup.command(&to.join("bin/python"), folder);
                python.arg(self.from().join("bench.py"));
                python
            }
        }
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| file.display().to_string())
}
