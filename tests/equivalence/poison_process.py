"""Poisons of what the kernel keeps of a process, and of what it shares with others."""

from __future__ import annotations

from poison import Poison

_SLEEP = (
    "['sleep', '2'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
)

PROCESS = (
    Poison("working directory", "os.chdir('/')", "os.getcwd()"),
    Poison("working directory deleted", "gone = tempfile.mkdtemp(); os.chdir(gone); os.rmdir(gone)",
           "outcome(os.getcwd)", "surroundings"),
    Poison("variable set", "os.environ['POISON'] = '1'", "os.environ.get('POISON')"),
    Poison("variables cleared", "os.environ.clear()", "'COLUMNS' in os.environ", "surroundings"),
    Poison("os.environ replaced", "os.environ = {}", "type(os.environ).__name__", "surroundings"),
    Poison("putenv", "os.putenv('POISON', '1')", "LIBC.getenv(b'POISON')"),
    Poison("unsetenv", "os.unsetenv('PATH')", "LIBC.getenv(b'PATH')"),
    Poison("time zone", "os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()", "time.tzname"),
    Poison("umask", "os.umask(0o777)", "[os.umask(mask := os.umask(0)), mask]"),
    Poison("signal handler", "signal.signal(signal.SIGUSR1, print)",
           "signal.getsignal(signal.SIGUSR1)"),
    Poison("signal ignored", "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
           "signal.getsignal(signal.SIGTERM)"),
    Poison("interrupt ignored", "signal.signal(signal.SIGINT, signal.SIG_IGN)",
           "signal.getsignal(signal.SIGINT)"),
    Poison("children ignored", "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
           "signal.getsignal(signal.SIGCHLD)"),
    Poison("signal mask", "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})",
           "signal.pthread_sigmask(signal.SIG_BLOCK, ())"),
    Poison("timer", "signal.setitimer(signal.ITIMER_VIRTUAL, 1000)",
           "signal.getitimer(signal.ITIMER_VIRTUAL)"),
    Poison("alarm", "signal.alarm(1000)", "signal.alarm(0)"),
    Poison("wakeup descriptor", "pair = socket.socketpair(); pair[1].setblocking(False)\n"
           "Thing.pair = pair; signal.set_wakeup_fd(pair[1].fileno())",
           "signal.set_wakeup_fd(-1)"),
    Poison("limits", "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
           "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
           "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 30))",
           "[resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE,"
           " resource.RLIMIT_FSIZE)]"),
    Poison("nice", "os.nice(5)", "os.getpriority(os.PRIO_PROCESS, 0)"),
    Poison("affinity", "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})",
           "sorted(os.sched_getaffinity(0))"),
    Poison("scheduler", "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
           "os.sched_getscheduler(0)"),
    Poison("timer slack", "LIBC.prctl(29, 77777, 0, 0, 0)", "LIBC.prctl(30, 0, 0, 0, 0)"),
    Poison("dumpable", "LIBC.prctl(4, 0, 0, 0, 0)", "LIBC.prctl(3, 0, 0, 0, 0)", "surroundings"),
    Poison("no new privileges", "LIBC.prctl(38, 1, 0, 0, 0)", "LIBC.prctl(39, 0, 0, 0, 0)"),
    Poison("death signal", "LIBC.prctl(1, 10, 0, 0, 0)\nThing.death = 1",
           "hasattr(Thing, 'death')"),
    Poison("groups", "os.setpgid(0, 0) if os.getpgrp() != os.getpid() else 0\nThing.group = 1",
           "hasattr(Thing, 'group')"),
    Poison("session", "outcome(os.setsid); Thing.session = 1", "hasattr(Thing, 'session')"),
    Poison("personality", "LIBC.personality(0x0040000)", "LIBC.personality(0xffffffff)"),
)  # fmt: skip

STREAMS = (
    Poison("sys.stdout", "sys.stdout = io.StringIO()", "type(sys.stdout).__name__", "streams"),
    Poison("sys.__stdout__", "sys.__stdout__ = sys.__stderr__ = None", "sys.__stdout__ is None",
           "streams"),
    Poison("descriptors replaced", "null = os.open(os.devnull, os.O_RDWR)\n"
           "for fd in (0, 1, 2): os.dup2(null, fd)",
           "[os.path.samestat(os.fstat(fd), os.stat(os.devnull)) for fd in (1, 2)]", "streams"),
    Poison("descriptors opened", "Thing.files = [os.open('/', os.O_RDONLY) for _ in range(50)]",
           "len(os.listdir('/proc/self/fd')) >= 50", "streams"),
    Poison("descriptors closed", "os.closerange(0, 64)", "outcome(os.fstat, 0) == 'OSError'",
           "streams"),
)  # fmt: skip

LEAKS = (
    Poison("daemon thread", "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
           "threading.active_count()"),
    Poison("thread", "threading.Thread(target=time.sleep, args=(0.3,)).start()",
           "len(threading.enumerate())"),
    Poison("child", f"Thing.child = subprocess.Popen({_SLEEP})", "find_child()"),
    Poison("child of its own session", f"Thing.own = subprocess.Popen({_SLEEP},"
           " start_new_session=True)", "hasattr(Thing, 'own')"),
    Poison("forked child", "if os.fork() == 0:\n"
           "    os.setsid()\n    os.closerange(0, 256)\n    time.sleep(2)\n    os._exit(0)",
           "find_child()", "surroundings"),
    Poison("socket", "Thing.bound = socket.socket(socket.AF_UNIX)\n"
           "Thing.bound.bind('\\0' + str(HERE))", "can_bind('\\0' + str(HERE))"),
    Poison("flock", "Thing.flock = open(HERE / 'lock', 'a')\n"
           "fcntl.flock(Thing.flock, fcntl.LOCK_EX)", "can_lock('lock', fcntl.flock)"),
    Poison("open file", "Thing.unflushed = open(HERE / 'unflushed', 'a')",
           "hasattr(Thing, 'unflushed')"),
)  # fmt: skip

KERNEL = (*PROCESS, *STREAMS, *LEAKS)
