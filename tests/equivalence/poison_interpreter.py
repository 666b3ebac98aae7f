"""Poisons of Python's own state: modules, hooks, settings."""

from __future__ import annotations

from poison import Poison

MODULES = (
    Poison("own global", "FLAG = True; NAMES.append('two')", "NAMES, len(NAMES)"),
    Poison(
        "own module's attribute",
        "sys.modules['state'].FLAG = 'poison'",
        "sys.modules['state'].FLAG",
    ),
    Poison("class attribute", "Thing.limit = 99; Thing.made.append(1)", "Thing.limit, Thing.made"),
    Poison("new class attribute", "Thing.extra = 1", "hasattr(Thing, 'extra')"),
    Poison(
        "base classes", "Thing.__bases__ = (type('B', (Base,), {}),)", "Thing.__base__.__name__"
    ),
    Poison("instance", "THING.value = 3", "vars(THING)"),
    Poison("default argument", "DEFAULTS().append(1)", "DEFAULTS()"),
    Poison("cached function", "NAMES.extend('ab'); cached(0); NAMES[:] = ['one']", "cached(0)"),
    Poison("function's globals", "counter.__kwdefaults__ = {'a': 1}", "counter.__kwdefaults__"),
    Poison("generator", "next(GENERATOR)", "next(GENERATOR)"),
    Poison("dictionary", "ONCE.clear()", "ONCE"),
    Poison("enum", "Colour.RED._value_ = 7", "Colour.RED.value"),
    Poison("singledispatch", "dispatched.register(int)(lambda x: 'int')", "dispatched(1)"),
    Poison(
        "abstract base class",
        "collections.abc.Sized.register(Thing)",
        "isinstance(THING, collections.abc.Sized)",
    ),
    Poison("context variable", "CONTEXT.set('poison')", "CONTEXT.get()"),
    Poison("thread local", "LOCAL.value = 1", "hasattr(LOCAL, 'value')"),
    Poison(
        "standard module",
        "json.dumps = lambda *a, **k: 'poison'",
        "json.dumps([1])",
        "breaks pytest",
    ),
    Poison("standard class", "pathlib.Path.poison = 1", "hasattr(pathlib.Path, 'poison')"),
    Poison("third party", "pluggy.HookCaller.poison = 1", "hasattr(pluggy.HookCaller, 'poison')"),
    Poison("module deleted", "del sys.modules['calendar']", "'calendar' in sys.modules"),
    Poison(
        "own module deleted",
        "del sys.modules['state']",
        "outcome(lambda: sys.modules['state'].__name__)",
        "breaks pytest",
    ),
    Poison("module forbidden", "sys.modules['colorsys'] = None", "'colorsys' in sys.modules"),
    Poison(
        "module replaced",
        "sys.modules['ast'] = types.ModuleType('poison')",
        "sys.modules['ast'].__name__",
        "breaks pytest",
    ),
    Poison("submodule removed", "del importlib.machinery", "hasattr(importlib, 'machinery')"),
)

IMPORTS = (
    Poison("sys.path", "sys.path.insert(0, '/poison')", "sys.path"),
    Poison("sys.path emptied", "sys.path[:] = []", "len(sys.path)", "breaks imports"),
    Poison("sys.path replaced", "sys.path = ['/poison']", "sys.path", "breaks imports"),
    Poison(
        "sys.meta_path",
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, *args): raise RuntimeError('poison')\n"
        "sys.meta_path.insert(0, Finder())",
        "[getattr(finder, '__name__', type(finder).__name__) for finder in sys.meta_path]",
        "breaks imports",
    ),
    Poison("sys.meta_path emptied", "sys.meta_path.clear()", "len(sys.meta_path)", "no meta path"),
    Poison(
        "sys.path_hooks",
        "def hook(path): raise RuntimeError('poison')\nsys.path_hooks.insert(0, hook)",
        "len(sys.path_hooks)",
        "breaks imports",
    ),
    Poison(
        "sys.path_importer_cache",
        "sys.path_importer_cache[str(HERE)] = None",
        "sys.path_importer_cache.get(str(HERE)) is None",
        "breaks imports",
    ),
    Poison(
        "loader",
        "importlib.machinery.SourceFileLoader.exec_module = None",
        "importlib.machinery.SourceFileLoader.exec_module is None",
        "breaks imports",
    ),
    Poison(
        "__import__",
        "def poison(*args): raise ImportError('poison')\nbuiltins.__import__ = poison",
        "builtins.__import__.__name__",
        "breaks imports",
    ),
    Poison("pycache_prefix", "sys.pycache_prefix = '/poison'", "sys.pycache_prefix == '/poison'"),
    Poison("dont_write_bytecode", "sys.dont_write_bytecode = 7", "sys.dont_write_bytecode == 7"),
)

BUILTINS = (
    Poison("builtins", "builtins.poison = 1", "hasattr(builtins, 'poison')"),
    Poison("builtins.len", "builtins.len = lambda x: 99", "len(())", "breaks pytest"),
    Poison("builtins.open", "builtins.open = None", "builtins.open is None", "breaks pytest"),
    Poison("builtins.print", "builtins.print = None", "builtins.print is None", "breaks pytest"),
    Poison("small integer", "ctypes.c_int.from_address(id(211) + 24).value = 5", "210 + 1", "int"),
    Poison(
        "interned string",
        "ctypes.memset(id(INTERNED) + sys.getsizeof(INTERNED) - 1 - len(INTERNED), 66, 3)",
        "INTERNED",
    ),
    Poison(
        "type of None",
        "gc.get_referents(type(None).__dict__)[0]['poison'] = 1\n"
        "ctypes.pythonapi.PyType_Modified(ctypes.py_object(type(None)))",
        "hasattr(None, 'poison')",
    ),
    Poison(
        "type of int",
        "gc.get_referents(int.__dict__)[0]['poison'] = 1\n"
        "ctypes.pythonapi.PyType_Modified(ctypes.py_object(int))",
        "hasattr(3, 'poison')",
    ),
    Poison("codecs", "codecs.register(lambda n: None if n != 'poison' else codecs.lookup('utf8'))",
           "outcome(lambda: codecs.lookup('poison').name)"),
    Poison("codec errors", "codecs.register_error('poison', lambda e: ('', e.end))",
           "outcome(lambda: codecs.lookup_error('poison') and 'found')"),
    Poison("copyreg", "copyreg.pickle(Thing, lambda t: (Thing, ()))",
           "Thing in copyreg.dispatch_table"),
    Poison("audit hook", "def hook(event, args):\n    if event == 'poison': raise OSError\n"
           "sys.addaudithook(hook)", "outcome(sys.audit, 'poison')"),
)  # fmt: skip

SETTINGS = (
    Poison("recursion limit", "sys.setrecursionlimit(3000)", "sys.getrecursionlimit()"),
    Poison("switch interval", "sys.setswitchinterval(0.5)", "sys.getswitchinterval()"),
    Poison("gc disabled", "gc.disable()", "gc.isenabled()"),
    Poison("gc thresholds", "gc.set_threshold(7, 7, 7)", "gc.get_threshold()"),
    Poison("gc callbacks", "gc.callbacks.append(lambda *a: None)", "len(gc.callbacks)"),
    Poison("gc debug", "gc.set_debug(gc.DEBUG_UNCOLLECTABLE)", "gc.get_debug()"),
    Poison("gc frozen", "gc.freeze(); gc.get_freeze_count = None", "gc.get_freeze_count is None"),
    Poison("faulthandler", "faulthandler.disable()", "faulthandler.is_enabled()"),
    Poison("settrace", "sys.settrace(lambda *a: None)", "sys.gettrace()", "trace"),
    Poison("setprofile", "sys.setprofile(lambda *a: None)", "sys.getprofile()", "trace"),
    Poison("threading.settrace", "threading.settrace(lambda *a: None)",
           "getattr(threading, '_trace_hook')"),
    Poison("threading.excepthook", "threading.excepthook = print", "threading.excepthook is print"),
    Poison("stack size", "threading.stack_size(1 << 20)", "threading.stack_size()"),
    Poison("excepthook", "sys.excepthook = print", "sys.excepthook is sys.__excepthook__"),
    Poison("unraisablehook", "sys.unraisablehook = print", "sys.unraisablehook is print"),
    Poison("displayhook", "sys.displayhook = print", "sys.displayhook is sys.__displayhook__"),
    Poison("tracebacklimit", "sys.tracebacklimit = 0", "hasattr(sys, 'tracebacklimit')"),
    Poison("int digits", "getattr(sys, 'set_int_max_str_digits', print)(640); sys.digits = 1",
           "hasattr(sys, 'digits'), getattr(sys, 'get_int_max_str_digits', int)()"),
    Poison("sys.argv", "sys.argv.append('poison')", "'poison' in sys.argv"),
    Poison("async generator hooks", "sys.set_asyncgen_hooks(print)",
           "sys.get_asyncgen_hooks().firstiter"),
    Poison("coroutine origins", "sys.set_coroutine_origin_tracking_depth(5)",
           "sys.get_coroutine_origin_tracking_depth()"),
    Poison("warnings filter", "warnings.filters.insert(0, ('error', None, Warning, None, 0))",
           "warnings.filters"),
    Poison("showwarning", "warnings.showwarning = warnings.formatwarning = None",
           "warnings.formatwarning is None"),
    Poison("once registry", "warnings.onceregistry['poison'] = 1", "warnings.onceregistry"),
    Poison("decimal context", "decimal.getcontext().prec = 3", "decimal.getcontext().prec"),
    Poison("decimal default", "decimal.DefaultContext.prec = 3", "decimal.DefaultContext.prec"),
    Poison("random", "random.seed(7)", "random.getstate() == random.Random(7).getstate()"),
    Poison("root logger", "logging.root.setLevel(7); logging.root.addHandler("
           "logging.NullHandler())", "logging.root.level, len(logging.root.handlers)"),
    Poison("logging disabled", "logging.disable(50)", "logging.root.manager.disable"),
    Poison("logger class", "logging.setLoggerClass(type('L', (logging.Logger,), {}))",
           "logging.getLoggerClass().__name__"),
    Poison("level names", "logging.addLevelName(7, 'POISON')", "logging.getLevelName(7)"),
    Poison("atexit cleared", "atexit.unregister(logging.shutdown)\n"
           "atexit._run_exitfuncs()", "getattr(atexit, '_ncallbacks')() > 0", "at exit"),
    Poison("atexit", "atexit.register(os._exit, 77)", "getattr(atexit, '_ncallbacks')()",
           "at exit"),
    Poison("finalizers", "weakref.finalize(THING, print)", "len(weakref.finalize._registry)"),
    Poison("weak references", "made = weakref.ref(THING); Thing.held = made",
           "weakref.getweakrefcount(THING)"),
    Poison("asyncio policy", "asyncio.set_event_loop_policy("
           "type('P', (asyncio.DefaultEventLoopPolicy,), {})())",
           "type(asyncio.get_event_loop_policy()).__name__", "at exit"),
    Poison("asyncio loop", "asyncio.set_event_loop(asyncio.new_event_loop())",
           "asyncio.get_event_loop_policy()._local._loop is None", "at exit"),
    Poison("linecache", "linecache.cache[str(HERE / 'state.py')] = (1, None, ['poison'], 'x')",
           "linecache.getline(str(HERE / 'state.py'), 1)[:9]"),
    Poison("tracemalloc", "tracemalloc.start()", "tracemalloc.is_tracing()"),
    Poison("locale", "locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
           "locale.setlocale(locale.LC_NUMERIC)"),
    Poison("socket timeout", "socket.setdefaulttimeout(1)", "socket.getdefaulttimeout()"),
    Poison("tempfile", "tempfile.tempdir = '/poison'", "tempfile.gettempdir()"),
    Poison("mimetypes", "import mimetypes; mimetypes.add_type('x/poison', '.poison')",
           "importlib.import_module('mimetypes').guess_type('a.poison')"),
    Poison("pickle", "pickle.DEFAULT_PROTOCOL = 0; pickle.dumps = None", "pickle.dumps is None"),
    Poison("re cache", "re.compile = lambda *a: 'poison'", "re.compile('a') == 'poison'",
           "breaks pytest"),
    Poison("time", "time.time = lambda: 0.0", "time.time() == 0.0", "breaks pytest"),
)  # fmt: skip

PYTEST = (
    Poison("pytest.main", "pytest.main = None", "pytest.main is None"),
    Poison("pytest.Item", "pytest.Item.poison = 1", "hasattr(pytest.Item, 'poison')"),
    Poison("runtest", "_pytest.python.Function.runtest = lambda self: None",
           "_pytest.python.Function.runtest.__name__", "breaks pytest"),
    Poison("reports", "import _pytest.reports as r\nr.TestReport.from_item_and_call = None",
           "importlib.import_module('_pytest.reports').TestReport.from_item_and_call is None",
           "breaks pytest"),
    Poison("main's exit codes", "pytest.ExitCode.OK._value_ = 9", "pytest.ExitCode.OK.value"),
    Poison("import_path", "_pytest.pathlib.import_path = None",
           "_pytest.pathlib.import_path is None",
           "breaks pytest"),
    Poison("rewriting hook", "_pytest.assertion.rewrite.AssertionRewritingHook.find_spec = None",
           "_pytest.assertion.rewrite.AssertionRewritingHook.find_spec is None", "breaks pytest"),
    Poison("stash", "import pytest_fastcollect.stash as s\n"
           "s.Stash._find = s.Stash.exec_module = s.Stash.hide = s.Stash.add = None\n"
           "pytest.poisoned_stash = 1", "hasattr(pytest, 'poisoned_stash')"),
    Poison("run child", "import pytest_fastcollect.run_child as r\n"
           "r.become = r.run = r.die_with_peer = r._signals = None\n"
           "pytest.poisoned_run_child = 1", "hasattr(pytest, 'poisoned_run_child')"),
    Poison("zygote", "import pytest_fastcollect.zygote as z\n"
           "z.Checkpoint.wait = z._announce = z._become = None\n"
           "pytest.poisoned_zygote = 1", "hasattr(pytest, 'poisoned_zygote')"),
    Poison("protocol", "import fastcollect_lsp.protocol as p, fastcollect_lsp.client as c\n"
           "p.send = p.receive = p.FrameReader = c.hand_over = None\n"
           "pytest.poisoned_protocol = 1", "hasattr(pytest, 'poisoned_protocol')"),
    Poison("plugin's state", "import pytest_fastcollect.state as s\n"
           "s.Active.depth = 'poison'; s.Active.record = True\n"
           "pytest.poisoned_state = 1", "hasattr(pytest, 'poisoned_state')"),
)  # fmt: skip

INTERPRETER = (*MODULES, *IMPORTS, *BUILTINS, *SETTINGS, *PYTEST)
