//! A mail server of the tests' own: Postfix, which takes mail, and Dovecot, which knows the logins.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Running, free_port, until, user};

/// The one who may send, and the password, which is that of every mailbox.
pub const LOGIN: (&str, &str) = ("clerk@shop.example", "of-the-clerk");

/// Who is known at `shop.example`.
pub const MAILBOXES: [&str; 37] = [
    "ada", "bea", "cleo", "dora", "emma", "fred", "gus", "hugo", "ida", "jo", "kim", "lea", "max", "nina",
    "otto", "paul", "quinn", "rosa", "sven", "tom", "uma", "vera", "clerk", "orders", "desk-1", "desk-2",
    "desk-3", "desk-4", "desk-5", "desk-6", "desk-7", "desk-8", "desk-9", "desk-10", "desk-11", "desk-12",
    "desk-13",
];

/// Runs both until standard input closes, which it also does when the test is killed, then removes the folder: statics
/// are never dropped.
const LIFELINE: &str = r#"
dovecot -F -c "$1/dovecot.conf" &
dovecot=$!
postfix -c "$1/postfix" start-fg &
trap 'postfix -c "$1/postfix" stop; kill $dovecot; wait; rm -rf "$1"' EXIT
read -r _
"#;

/// A mail server on loopback and free ports, with its mail in a temporary folder. Mail to those at `shop.example` whom it
/// knows ([`MAILBOXES`]) is delivered; mail to elsewhere is refused unless the sender is logged in, and then goes nowhere. It ends with the value, and with the test process however that ends.
#[derive(Debug)]
pub struct MailServer {
    /// The port that begins in the clear and offers STARTTLS; a login is taken on an encrypted connection alone.
    pub smtp: u16,
    /// The port that is encrypted from its beginning.
    pub smtps: u16,
    /// The port of IMAP that is encrypted from its beginning.
    pub imaps: u16,
    process: Running,
    folder: TempDir,
}

impl MailServer {
    /// The one server of this test binary, started when first asked for, or why there is none.
    ///
    /// # Errors
    /// Where Postfix or Dovecot are not installed, or the tests do not run as root, which Postfix needs.
    ///
    /// # Panics
    /// Where they are and do not run.
    pub fn shared() -> Result<&'static Self, &'static str> {
        static SHARED: OnceLock<Result<MailServer, String>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref().map_err(String::as_str)
    }

    /// The file of the authority that has signed its certificate, which is for `localhost`.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// The mail that somebody at `shop.example` has got, oldest first, as it arrived.
    ///
    /// # Panics
    /// Where it cannot be read.
    #[must_use]
    pub fn mail_of(&self, name: &str) -> Vec<String> {
        let folder = self.folder.path().join("mail").join(name).join("new");
        let mut files: Vec<PathBuf> = match fs::read_dir(folder) {
            Ok(files) => files.map(|file| file.expect("a file").path()).collect(),
            Err(_) => Vec::new(),
        };
        files.sort();
        let read = |file: &PathBuf| String::from_utf8_lossy(&fs::read(file).expect("a mail")).into_owned();
        files.iter().map(read).collect()
    }

    /// The mail of somebody, once there are so many.
    ///
    /// # Panics
    /// Where that takes too long.
    pub async fn mail(&self, name: &str, count: usize) -> Vec<String> {
        until(
            &format!("{name} has {count} mails"),
            Duration::from_secs(30),
            async || {
                let mail = self.mail_of(name);
                if mail.len() >= count {
                    Ok(mail)
                } else {
                    Err(format!(
                        "{} came; {}",
                        mail.len(),
                        self.process.stdout().join("\n")
                    ))
                }
            },
        )
        .await
    }

    /// Lays a mail into somebody's mailbox, as it would come from outside.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn deliver(&self, name: &str, mail: &str) {
        let (uid, gid) = user("nobody").expect("the user nobody");
        let mailbox = self.folder.path().join("mail").join(name);
        let file = uuid::Uuid::now_v7().to_string();
        let written = mailbox.join("tmp").join(&file);
        fs::write(&written, mail.replace('\n', "\r\n")).expect("a file");
        chown(&written, Some(uid), Some(gid)).expect("its owner");
        fs::rename(written, mailbox.join("new").join(file)).expect("the mailbox");
    }

    /// Its processes: to see that they end.
    #[must_use]
    pub fn process(&self) -> &Running {
        &self.process
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops it, as the end of the test process does.
    pub fn cut_lifeline(&mut self) {
        drop(self.process.stdin().take());
    }

    /// A server of a test's own, or why there is none.
    ///
    /// # Errors
    /// As [`shared`](Self::shared).
    ///
    /// # Panics
    /// As [`shared`](Self::shared).
    pub fn start() -> Result<Self, String> {
        for program in ["/usr/sbin/postfix", "/usr/sbin/dovecot"] {
            if !Path::new(program).is_file() {
                return Err(format!(
                    "there is no {program} (apt-get install postfix dovecot-imapd)"
                ));
            }
        }
        if !rustix::process::geteuid().is_root() {
            return Err("Postfix runs for root alone".to_owned());
        }
        let folder = tempfile::Builder::new()
            .prefix("procos-mail-")
            .tempdir()
            .expect("a folder");
        let path = folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
        let server = Self::configure(path);
        let process = Running::start(
            "the mail server",
            Command::new("/bin/sh")
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .args(["-c", LIFELINE, "mail"])
                .arg(path),
        );
        let (smtp, smtps, imaps) = server;
        let server = Self {
            smtp,
            smtps,
            imaps,
            process,
            folder,
        };
        for port in [smtp, smtps, imaps] {
            server.wait_for(port);
        }
        Ok(server)
    }

    /// Waits until something listens.
    fn wait_for(&self, port: u16) {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                std::time::Instant::now() < deadline && self.process.status().is_none(),
                "nothing listens at {port}:\n{}\n{}",
                self.process.stdout().join("\n"),
                self.process.stderr().join("\n")
            );
            std::thread::yield_now();
        }
    }

    fn configure(path: &Path) -> (u16, u16, u16) {
        let certificate =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let write = |name: &str, content: &str| {
            let file = path.join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, content).expect("a file");
        };
        write("certificate.pem", &certificate.cert.pem());
        write("key.pem", &certificate.signing_key.serialize_pem());
        let users = MAILBOXES.map(|name| format!("{name}@shop.example:{{PLAIN}}{}\n", LOGIN.1));
        write("users", &users.concat());
        let mailboxes = MAILBOXES.map(|name| format!("{name}@shop.example {name}/\n"));
        write("mailboxes", &mailboxes.concat());
        let (mail_uid, mail_gid) = user("nobody").expect("the user nobody");
        let (postfix_uid, _) = user("postfix").expect("the user postfix");
        for (name, uid) in [("queue", 0), ("data", postfix_uid), ("mail", mail_uid)] {
            fs::create_dir_all(path.join(name)).expect("a folder");
            chown(path.join(name), Some(uid), None).expect("its owner");
        }
        // Dovecot tells at once of mail in a mailbox that is there, and looks for others now and then.
        for mailbox in MAILBOXES {
            for folder in ["", "tmp", "new", "cur"] {
                let folder = path.join("mail").join(mailbox).join(folder);
                fs::create_dir_all(&folder).expect("a folder");
                chown(folder, Some(mail_uid), Some(mail_gid)).expect("its owner");
            }
        }
        let (smtp, smtps, imaps) = (free_port(), free_port(), free_port());
        let at = path.display();
        write(
            "postfix/main.cf",
            &format!(
                "compatibility_level = 3.6
queue_directory = {at}/queue
data_directory = {at}/data
maillog_file = /dev/stdout
myhostname = localhost
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
alias_maps =
virtual_mailbox_domains = shop.example
virtual_mailbox_base = {at}/mail
virtual_mailbox_maps = texthash:{at}/mailboxes
virtual_uid_maps = static:{mail_uid}
virtual_gid_maps = static:{mail_gid}
default_transport = discard:
smtpd_tls_cert_file = {at}/certificate.pem
smtpd_tls_key_file = {at}/key.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {at}/run/smtp-auth
smtpd_recipient_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_peername_lookup = no
message_size_limit = 200000
smtpd_client_connection_rate_limit = 0
"
            ),
        );
        let services = "pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";
        write(
            "postfix/master.cf",
            &format!(
                "127.0.0.1:{smtp} inet n - n - - smtpd\n127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n{services}"
            ),
        );
        write(
            "dovecot.conf",
            &format!(
                "protocols = imap
base_dir = {at}/run
log_path = /dev/stderr
ssl = required
ssl_cert = <{at}/certificate.pem
ssl_key = <{at}/key.pem
mail_location = maildir:{at}/mail/%n
mail_uid = {mail_uid}
mail_gid = {mail_gid}
first_valid_uid = 1
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {at}/users
}}
userdb {{
  driver = static
  args = uid={mail_uid} gid={mail_gid} home={at}/mail/%n
}}
service auth {{
  unix_listener smtp-auth {{
    mode = 0666
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps}
  }}
}}
"
            ),
        );
        (smtp, smtps, imaps)
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.cut_lifeline();
        let _ = self.process.ends_within(Duration::from_secs(10));
    }
}
