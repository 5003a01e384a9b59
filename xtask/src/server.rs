//! The Redis server that the tests run against.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Failure;
use crate::command::{output, run};

/// How long the package manager may take for one step: a slow mirror, a lock held by another.
const APT_LIMIT: Duration = Duration::from_secs(600);

/// How long stopping the system's own server may take.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Makes sure that there is a `redis-server`: where there is none, installs it on Debian and says
/// what to install elsewhere. A server named by `CLOAKROOM_REDIS_SERVER` is used as it is.
pub(crate) fn ensure() -> Result<(), Failure> {
    if let Some(program) = std::env::var_os("CLOAKROOM_REDIS_SERVER") {
        let version = output(Command::new(&program).arg("--version"));
        return version.map(|version| println!("CLOAKROOM_REDIS_SERVER is {}", version.trim()));
    }
    if let Ok(version) = version() {
        println!("{version}");
        return Ok(());
    }
    let machine = Machine::look();
    let install = install_commands(&machine).ok_or_else(advice)?;
    println!("redis-server is missing; installing it");
    for mut command in install {
        run(&mut command, APT_LIMIT)?;
    }
    stop_service(&machine);
    version().map(|version| println!("{version}"))
}

/// What decides how a server can be installed.
struct Machine {
    debian: bool,
    root: bool,
    sudo: bool,
}

impl Machine {
    fn look() -> Self {
        let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
        Self {
            debian: Path::new("/etc/debian_version").exists(),
            root,
            // -n: without a password, since there may be nobody to type it.
            sudo: !root && output(Command::new("sudo").args(["-n", "true"])).is_ok(),
        }
    }
}

/// The commands that install the server; `None` if it can't be done here.
fn install_commands(machine: &Machine) -> Option<[Command; 2]> {
    if !machine.debian || !(machine.root || machine.sudo) {
        return None;
    }
    let apt_get = |args: &[&str]| {
        let mut words = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"];
        words.extend(["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]);
        words.extend(args);
        privileged(machine, &words)
    };
    Some([
        apt_get(&["update"]),
        apt_get(&["install", "-y", "redis-server", "redis-tools"]),
    ])
}

/// A command with the rights of root.
fn privileged(machine: &Machine, words: &[&str]) -> Command {
    let sudo: &[&str] = if machine.sudo { &["sudo", "-n"] } else { &[] };
    let words = [sudo, words].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// Debian starts a server of its own, on Redis' usual port, with the package. The tests don't use
/// it, and a machine that had none should have none afterwards.
fn stop_service(machine: &Machine) {
    let mut stop = privileged(machine, &["service", "redis-server", "stop"]);
    if let Err(failure) = run(&mut stop, STOP_LIMIT) {
        println!("the system's own server was not stopped, which does no harm: {failure}");
    }
}

fn version() -> Result<String, Failure> {
    Ok(output(Command::new("redis-server").arg("--version"))?
        .trim()
        .to_owned())
}

fn advice() -> Failure {
    "the tests run against a real redis-server, and there is none on the PATH. Install Redis 7 or \
     newer, or Valkey: on Debian and Ubuntu as root `apt-get install -y redis-server`, on Fedora \
     `dnf install valkey`, on macOS `brew install redis`. CLOAKROOM_REDIS_SERVER can name a server \
     that is elsewhere."
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<&str> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_str().unwrap()).collect()
    }

    #[test]
    fn root_installs_directly() {
        let machine = Machine {
            debian: true,
            root: true,
            sudo: false,
        };
        let [update, install] = install_commands(&machine).unwrap();
        assert_eq!(words(&update).first(), Some(&"env"));
        assert!(words(&update).ends_with(&["update"]));
        assert!(words(&install).ends_with(&["install", "-y", "redis-server", "redis-tools"]));
    }

    #[test]
    fn others_install_through_sudo() {
        let machine = Machine {
            debian: true,
            root: false,
            sudo: true,
        };
        let [update, _] = install_commands(&machine).unwrap();
        assert_eq!(words(&update)[..3], ["sudo", "-n", "env"]);
    }

    #[test]
    fn nothing_is_installed_where_that_is_impossible() {
        let no_rights = Machine {
            debian: true,
            root: false,
            sudo: false,
        };
        let no_debian = Machine {
            debian: false,
            root: true,
            sudo: false,
        };
        assert!(install_commands(&no_rights).is_none());
        assert!(install_commands(&no_debian).is_none());
        assert!(advice().contains("apt-get install -y redis-server"));
    }
}
