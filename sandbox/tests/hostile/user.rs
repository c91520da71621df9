//! The same as an ordinary user.

use std::process::Command;

/// Who that is: `script/test` makes the user.
const USER: &str = "procos-test";

#[test]
fn all_of_bubblewrap_holds_for_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let known = Command::new("id").arg(USER).output().unwrap().status.success();
    if !known {
        println!("SKIPPED hostile-user: there is no user {USER}; script/test makes it");
        return;
    }
    // The user need not be able to look into the folder of the build.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("hostile");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for path in [folder.path(), &program] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let output = Command::new("setpriv")
        .args(["--reuid", USER, "--regid", USER, "--init-groups"])
        .arg(&program)
        .args(["bubblewrap", "--nocapture"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("PROCOS_SECRET_TEST", "an ordinary user's secret")
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains("test result: ok") && !said.contains(" 0 passed"),
        "{said}"
    );
}
