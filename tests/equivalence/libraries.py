"""Libraries of others, used at import and again in tests: what becomes of them in a checkpoint.

`left_out=None` claims that a checkpoint may have the library, used, and be forked: its tests then
use what was made before the fork, pools of threads included.
"""

from __future__ import annotations

from hazards import Use

_THREAD = "starts a (native )?thread|keeps hold of sys.stdout"
_DESCRIPTOR = "keeps a descriptor"

NUMERICAL = {
    "numpy": Use(
        """\
        import numpy as np
        A = np.arange(250_000.0).reshape(500, 500)
        PRODUCT = A @ A  # starts the threads of OpenBLAS
        """,
        """\
        def test_it():
            for _ in range(3):
                assert np.array_equal(A @ A, PRODUCT)
            assert abs(np.linalg.det(np.eye(300)) - 1) < 1e-9
        """,
        needs=("numpy",),
    ),
    "numpy_seeded": Use(
        "import numpy as np\nnp.random.seed(3)\nDRAWN = np.random.rand()\n",
        """\
        def test_it(): assert (DRAWN, np.random.rand()) == (0.5507979025745755, 0.7081478226181048)
        """,
        needs=("numpy",),
    ),
    "numpy_now": Use(
        """\
        import numpy as np
        class Clock:
            started = np.datetime64("now")
        def later(): return np.datetime64("now") - Clock.started
        """,
        "def test_it(): assert later() < np.timedelta64(5, 's')\n",
        "asks for the time",
        needs=("numpy",),
    ),
    "numpy_now_in_functions": Use(
        "import numpy as np\ndef today(): return np.datetime64('today')\n",
        "def test_it(): assert today() > np.datetime64('2020-01-01')\n",
        needs=("numpy",),
    ),
    "numpy_generator": Use(
        "import numpy as np\nRNG = np.random.default_rng()\n",
        "def test_it(): assert 0 <= RNG.random() < 1\n",
        "asks for random bytes",
        needs=("numpy",),
    ),
    "numpy_memmap": Use(
        """\
        import os, numpy as np
        PATH = os.path.join(os.path.dirname(__file__), "map.tmp")
        MAP = np.memmap(PATH, dtype="u1", mode="w+", shape=(10,))
        """,
        """\
        def test_it():
            assert MAP[0] == 0
            MAP[0] = 1
            os.unlink(PATH)
        """,
        "writes",
        needs=("numpy",),
    ),
    "pandas": Use(
        """\
        import pandas as pd
        FRAME = pd.DataFrame({"a": range(1000), "b": ["x", "y"] * 500})
        """,
        """\
        def test_it():
            assert FRAME.groupby("b")["a"].sum().to_dict() == {"x": 249500, "y": 250000}
            assert len(FRAME.merge(FRAME, on="a")) == 1000
        """,
        needs=("pandas",),
    ),
    "scipy": Use(
        """\
        import numpy as np, scipy.linalg, scipy.stats
        INVERSE = scipy.linalg.inv(np.eye(200) * 2)
        """,
        """\
        def test_it():
            assert np.allclose(scipy.linalg.inv(np.eye(200) * 2), INVERSE)
            assert abs(scipy.stats.norm.cdf(0) - 0.5) < 1e-12
        """,
        needs=("scipy",),
    ),
    "sklearn": Use(
        """\
        import numpy as np
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        X = np.arange(200.0).reshape(100, 2)
        Y = (X[:, 0] > 100).astype(int)
        MODEL = LogisticRegression().fit(X, Y)
        """,
        """\
        def test_it():
            from sklearn.cluster import KMeans
            assert MODEL.score(X, Y) > 0.95
            assert len(set(KMeans(2, n_init=1, random_state=0).fit_predict(X))) == 2
            forest = RandomForestClassifier(5, n_jobs=2, random_state=0).fit(X, Y)
            assert forest.score(X, Y) > 0.95
        """,
        needs=("sklearn",),
    ),
    "openmp_pool": Use(
        """\
        import numpy as np
        from sklearn.cluster import KMeans
        DATA = np.random.RandomState(0).rand(5000, 4)
        FIT = KMeans(3, n_init=1, random_state=0).fit(DATA)
        """,
        """\
        def test_it():
            again = KMeans(3, n_init=1, random_state=0).fit(DATA)
            assert np.allclose(again.cluster_centers_, FIT.cluster_centers_)
        """,
        "starts a native thread",
        needs=("sklearn",),
        env=(("OMP_NUM_THREADS", "2"),),
    ),
    "torch": Use(
        """\
        import torch
        LAYER = torch.nn.Linear(3, 2)
        """,
        """\
        def test_it():
            big = torch.ones(600, 600)
            assert (big @ big)[0, 0].item() == 600
            loss = LAYER(torch.ones(4, 3)).sum()
            loss.backward()
            assert LAYER.weight.grad is not None
        """,
        needs=("torch",),
    ),
    "torch_seeded": Use(
        "import torch\ntorch.manual_seed(4)\nDRAWN = torch.rand(1).item()\n",
        "def test_it(): print(DRAWN, torch.rand(2).tolist())\n",
        needs=("torch",),
    ),
    "torch_pool": Use(
        """\
        import torch
        torch.set_num_threads(2)
        SUM = torch.ones(3_000_000).exp().sum().item()
        """,
        """\
        def test_it():
            assert torch.ones(3_000_000).exp().sum().item() == SUM
        """,
        "starts a native thread",
        needs=("torch",),
    ),
    "torch_loader": Use(
        """\
        import torch, torch.utils.data as data
        LOADER = data.DataLoader(data.TensorDataset(torch.arange(8)), 4, num_workers=1)
        """,
        "def test_it(): assert [len(batch[0]) for batch in LOADER] == [4, 4]\n",
        needs=("torch",),
    ),
    "pyarrow": Use(
        """\
        import pyarrow as pa, pyarrow.compute as pc, pyarrow.dataset
        TABLE = pa.table({"a": list(range(1000))})
        """,
        """\
        def test_it(tmp_path):
            import pyarrow.csv, pyarrow.parquet as pq
            assert pc.sum(TABLE["a"]).as_py() == 499500
            pq.write_table(TABLE, tmp_path / "t.parquet")
            assert pyarrow.dataset.dataset(tmp_path).to_table().num_rows == 1000
            (tmp_path / "t.csv").write_text("a,b\\n1,2\\n")
            assert pyarrow.csv.read_csv(tmp_path / "t.csv").num_rows == 1
        """,
        needs=("pyarrow",),
    ),
    "pyarrow_pool": Use(
        """\
        import io, pandas as pd
        FRAME = pd.read_csv(io.BytesIO(b"a\\n1\\n2\\n"), engine="pyarrow")
        """,
        """\
        def test_it():
            again = pd.read_csv(io.BytesIO(b"a\\n1\\n2\\n"), engine="pyarrow")
            assert again.equals(FRAME)
        """,
        "starts a native thread",
        needs=("pyarrow", "pandas"),
    ),
    "polars": Use(
        "import polars as pl\n",
        """\
        def test_it():
            frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
            assert frame.lazy().group_by("b").sum().collect().height == 2
        """,
        "starts a native thread",
        needs=("polars",),
    ),
    "polars_pool": Use(
        """\
        import polars as pl
        SUM = pl.DataFrame({"a": [1, 2]}).lazy().sum().collect().item()
        """,
        "def test_it(): assert pl.DataFrame({'a': [1, 2]}).lazy().sum().collect().item() == SUM\n",
        "starts a native thread",
        needs=("polars",),
    ),
    "numba": Use(
        """\
        import numba
        @numba.njit
        def double(x): return 2 * x
        assert double(2) == 4
        """,
        "def test_it(): assert double(2) == 4 and double(2.5) == 5.0\n",
        needs=("numba",),
    ),
    "numba_parallel": Use(
        """\
        import numba, numpy as np
        @numba.njit(parallel=True)
        def total(a):
            s = 0.0
            for i in numba.prange(a.size): s += a[i]
            return s
        assert total(np.ones(1000)) == 1000
        """,
        "def test_it(): assert total(np.ones(2000)) == 2000\n",
        "starts a native thread|maps memory|descriptor|blocks, ignores",
        needs=("numba",),
        env=(("NUMBA_NUM_THREADS", "2"),),
    ),
    "h5py": Use(
        "import h5py\n",
        """\
        def test_it(tmp_path):
            with h5py.File(tmp_path / "a.h5", "w") as file: file["x"] = [1, 2]
            with h5py.File(tmp_path / "a.h5") as file: assert list(file["x"]) == [1, 2]
        """,
        needs=("h5py",),
    ),
    "xgboost": Use(
        "import xgboost\n",
        """\
        def test_it():
            import numpy as np
            X = np.arange(40.0).reshape(20, 2)
            model = xgboost.XGBClassifier(n_estimators=2, n_jobs=2).fit(X, X[:, 0] > 20)
            assert model.predict(X).shape == (20,)
        """,
        needs=("xgboost",),
    ),
    "mpi4py": Use(
        "from mpi4py import MPI\n",
        "def test_it(): assert MPI.COMM_WORLD.Get_size() == 1\n",
        "MPI|descriptor|thread|maps memory",
        needs=("mpi4py",),
    ),
}

DRAWING = {
    "matplotlib_agg": Use(
        """\
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
        FIGURE, AXES = plt.subplots()
        AXES.plot([1, 2])
        """,
        """\
        def test_it(tmp_path):
            FIGURE.savefig(tmp_path / "a.png")
            assert (tmp_path / "a.png").stat().st_size > 1000
        """,
        needs=("matplotlib",),
    ),
    "matplotlib_default": Use(
        "import matplotlib.pyplot as plt\n",
        """\
        def test_it(tmp_path):
            plt.figure()
            plt.savefig(tmp_path / "a.png")
            print(plt.get_backend())
        """,
        needs=("matplotlib",),
    ),
    "pillow": Use(
        "from PIL import Image\nIMAGE = Image.new('RGB', (9, 9), 'red')\n",
        "def test_it(): assert IMAGE.resize((3, 3)).getpixel((1, 1)) == (255, 0, 0)\n",
        needs=("PIL",),
    ),
    "tcl": Use(
        "import tkinter\nTCL = tkinter.Tcl()\nTCL.eval('set a 1')\n",
        """\
        def test_it():
            TCL.eval("after 20 {set a 2}; vwait a")
            assert TCL.eval("set a") == "2"
        """,
        "",  # either is right: it depends on how Tcl was built
        needs=("_tkinter",),
    ),
    "qt": Use(
        """\
        import os
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from PySide6.QtWidgets import QApplication, QLabel
        APPLICATION = QApplication([])
        """,
        """\
        def test_it():
            label = QLabel("x")
            label.show()
            APPLICATION.processEvents()
            assert label.isVisible()
        """,
        _DESCRIPTOR + "|thread|signal",
        needs=("PySide6",),
    ),
    "qt_imported": Use(
        "import os\nos.environ['QT_QPA_PLATFORM'] = 'offscreen'\nfrom PySide6 import QtWidgets\n",
        """\
        def test_it():
            application = QtWidgets.QApplication([])
            application.processEvents()
        """,
        needs=("PySide6",),
    ),
}

NETWORKING = {
    "grpc": Use(
        "import grpc\n",
        """\
        from concurrent import futures
        def test_it():
            server = grpc.server(futures.ThreadPoolExecutor(1))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=30)
            server.stop(None).wait(30)
        """,
        needs=("grpc",),
    ),
    "grpc_channel": Use(
        "import grpc\nCHANNEL = grpc.insecure_channel('127.0.0.1:1')\n",
        """\
        def test_it():
            try: CHANNEL.unary_unary("/a/b")(b"", timeout=5)
            except grpc.RpcError as error: assert error.code() is grpc.StatusCode.UNAVAILABLE
            CHANNEL.close()
        """,
        _THREAD + "|" + _DESCRIPTOR + "|library of C",
        needs=("grpc",),
    ),
    "grpc_closed_channel": Use(
        """\
        import grpc, threading
        with grpc.insecure_channel("127.0.0.1:1") as channel: pass
        del channel
        threading.Event().wait(0.5)  # until its threads have ended
        """,
        """\
        from concurrent import futures
        def test_it():
            server = grpc.server(futures.ThreadPoolExecutor(1))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=30)
            server.stop(None).wait(30)
        """,
        "",  # shut down it may be forked; until its threads have ended it is left out
        needs=("grpc",),
    ),
    "requests": Use(
        "import requests\nSESSION = requests.Session()\n",
        """\
        def test_it():
            try: SESSION.get("http://127.0.0.1:9/", timeout=5)
            except requests.ConnectionError: return
            assert False
        """,
        needs=("requests",),
    ),
    "httpx": Use(
        "import httpx\nCLIENT = httpx.Client(trust_env=False)\n",
        """\
        def test_it():
            try: CLIENT.get("http://127.0.0.1:9/")
            except httpx.ConnectError: return
            assert False
        """,
        needs=("httpx",),
    ),
    "aiohttp": Use(
        "import aiohttp, asyncio\n",
        """\
        def test_it():
            async def main():
                async with aiohttp.ClientSession() as session:
                    try: await session.get("http://127.0.0.1:9/")
                    except aiohttp.ClientConnectionError: return True
            assert asyncio.run(main())
        """,
        needs=("aiohttp",),
    ),
    "zmq": Use(
        "import zmq\nCONTEXT = zmq.Context()\nPAIR = CONTEXT.socket(zmq.PAIR)\n",
        """\
        def test_it():
            PAIR.bind("inproc://x")
            other = CONTEXT.socket(zmq.PAIR)
            other.connect("inproc://x")
            PAIR.send(b"a")
            assert other.recv() == b"a"
            CONTEXT.destroy(0)
        """,
        _THREAD + "|" + _DESCRIPTOR,
        needs=("zmq",),
    ),
    "zmq_imported": Use(
        "import zmq\n",
        """\
        def test_it():
            context = zmq.Context()
            one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
            one.bind("inproc://x")
            other.connect("inproc://x")
            one.send(b"a")
            assert other.recv() == b"a"
            context.destroy(0)
        """,
        needs=("zmq",),
    ),
    "gevent": Use(
        "import gevent\nDONE = gevent.spawn(lambda: 5)\nDONE.join()\n",
        """\
        def test_it():
            assert DONE.value == 5
            later = gevent.spawn(lambda: 6)
            later.join(30)
            assert later.value == 6
        """,
        _DESCRIPTOR,
        needs=("gevent",),
    ),
    "gevent_patched": Use(
        "from gevent import monkey\nmonkey.patch_all()\nimport socket, threading, time\n",
        """\
        import gevent
        def test_it():
            assert monkey.is_module_patched("socket")
            order = []
            def work(n):
                time.sleep(0.02 * n)
                order.append(n)
            gevent.joinall([gevent.spawn(work, n) for n in (2, 1)], timeout=30)
            assert order == [1, 2]
            thread = threading.Thread(target=work, args=(0,))
            thread.start()
            thread.join(30)
            assert order == [1, 2, 0]
        """,
        "replaces|descriptor|thread",
        needs=("gevent",),
    ),
    "eventlet_patched": Use(
        "import eventlet\neventlet.monkey_patch()\nimport time\n",
        """\
        def test_it():
            pool = eventlet.GreenPool()
            order = []
            def work(n):
                time.sleep(0.02 * n)
                order.append(n)
            for n in (2, 1): pool.spawn(work, n)
            pool.waitall()
            assert order == [1, 2]
        """,
        "replaces|descriptor|thread",
        needs=("eventlet",),
    ),
    "uvloop": Use(
        "import asyncio, uvloop\nLOOP = uvloop.new_event_loop()\n",
        """\
        def test_it():
            assert LOOP.run_until_complete(asyncio.sleep(0.01, 3)) == 3
            LOOP.close()
        """,
        _DESCRIPTOR,
        needs=("uvloop",),
    ),
    "uvloop_imported": Use(
        "import asyncio, uvloop\n",
        """\
        def test_it():
            loop = uvloop.new_event_loop()
            assert loop.run_until_complete(asyncio.sleep(0.01, 3)) == 3
            loop.close()
        """,
        needs=("uvloop",),
    ),
    "ssl": Use(
        "import ssl\nCONTEXT = ssl.create_default_context()\nBEFORE = ssl.RAND_bytes(8)\n",
        """\
        def test_it():
            assert len(CONTEXT.get_ca_certs()) >= 0
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = CONTEXT.wrap_bio(incoming, outgoing, server_hostname="a")
            try: tls.do_handshake()
            except ssl.SSLWantReadError: pass
            assert outgoing.read()
        """,
        needs=("ssl",),
    ),
    "cryptography": Use(
        """\
        from cryptography.fernet import Fernet
        KEY = b"eKbQuOcXEgWZC4jnXBzaHnLZ3ZBbbfYDN9Cg3ioFSys="
        TOKEN = Fernet(KEY)
        """,
        "def test_it(): assert TOKEN.decrypt(TOKEN.encrypt(b'x')) == b'x'\n",
        needs=("cryptography",),
    ),
}

OTHERS = {
    "sqlalchemy": Use(
        """\
        import sqlalchemy as sa
        ENGINE = sa.create_engine("sqlite://")
        CONNECTION = ENGINE.connect()
        CONNECTION.execute(sa.text("create table t (x int)"))
        """,
        """\
        def test_it():
            CONNECTION.execute(sa.text("insert into t values (1)"))
            assert CONNECTION.execute(sa.text("select count(*) from t")).scalar() == 1
        """,
        "asks for the time",  # since when there is the connection, for `pool_recycle`
        needs=("sqlalchemy",),
    ),
    "sqlalchemy_file": Use(
        """\
        import os, sqlalchemy as sa
        PATH = os.path.join(os.path.dirname(__file__), "data.tmp")
        ENGINE = sa.create_engine(f"sqlite:///{PATH}")
        CONNECTION = ENGINE.connect()
        """,
        """\
        def test_it():
            assert CONNECTION.execute(sa.text("select 1")).scalar() == 1
            CONNECTION.close()
            os.unlink(PATH)
        """,
        "sqlite3.connect|" + _DESCRIPTOR,
        needs=("sqlalchemy",),
    ),
    "psutil": Use(
        "import psutil\nCPUS = psutil.cpu_count()\n",
        """\
        import os
        def test_it(): assert psutil.Process().pid == os.getpid() and psutil.cpu_count() == CPUS
        """,
        needs=("psutil",),
    ),
    "psutil_memory": Use(
        "import psutil\nFREE = psutil.virtual_memory().available\n",
        "def test_it(): assert FREE > 0\n",
        "asks for what is free",
        needs=("psutil",),
    ),
    "psutil_process": Use(
        "import psutil\nMINE = psutil.Process()\n",
        """\
        import os
        def test_it(): assert MINE.pid == os.getpid()
        """,
        "asks for what is free, or how busy",
        needs=("psutil",),
    ),
    "dateutil": Use(
        """\
        from dateutil import parser
        DAY, TODAY = parser.parse("2020-01-01"), parser.parse("12:00")
        """,
        """\
        import datetime
        def test_it(): assert (DAY.year, TODAY.date()) == (2020, datetime.date.today())
        """,
        needs=("dateutil",),
    ),
    "freezegun": Use(
        """\
        import datetime
        from freezegun import freeze_time
        """,
        """\
        @freeze_time("2020-01-01")
        def test_it(): assert datetime.date.today() == datetime.date(2020, 1, 1)
        """,
        needs=("freezegun",),
    ),
    "prometheus": Use(
        "from prometheus_client import Counter\nCOUNTER = Counter('runs', 'Runs.')\n",
        """\
        def test_it():
            COUNTER.inc()
            assert next(iter(COUNTER.collect())).samples[0].value == 1
        """,
        needs=("prometheus_client",),
    ),
    "lxml": Use(
        "from lxml import etree\nTREE = etree.fromstring('<a><b>1</b></a>')\n",
        "def test_it(): assert TREE.xpath('//b')[0].text == etree.XML('<c>1</c>').text\n",
        needs=("lxml",),
    ),
    "loguru": Use(
        "from loguru import logger\n",
        "def test_it(): logger.info('shown')\n",
        needs=("loguru",),
    ),
    "tqdm": Use(
        "from tqdm import tqdm\n",
        "def test_it(): assert sum(tqdm([1, 2], disable=True)) == 3\n",
        needs=("tqdm",),
    ),
    "joblib_memory": Use(
        "import joblib\nMEMORY = joblib.Memory(None)\n@MEMORY.cache\ndef twice(x): return 2 * x\n",
        "def test_it(): assert twice(2) == 4\n",
        needs=("joblib",),
    ),
    "joblib": Use(
        """\
        import joblib
        SQUARES = joblib.Parallel(1)(joblib.delayed(pow)(i, 2) for i in range(3))
        """,
        """\
        def test_it():
            squares = joblib.Parallel(2)(joblib.delayed(pow)(i, 2) for i in range(3))
            assert squares == SQUARES
        """,
        needs=("joblib",),
    ),
    "execnet": Use(
        """\
        import os
        import execnet.gateway_base
        """,
        """\
        def test_it(): assert execnet.gateway_base.pid == os.getpid()
        """,
        needs=("execnet",),
    ),
    "opentelemetry": Use(
        """\
        from opentelemetry import context, trace
        KEY = context.create_key("key")
        """,
        """\
        def test_it():
            token = context.attach(context.set_value(KEY, 1))
            assert context.get_value(KEY) == 1
            context.detach(token)
            assert trace.get_current_span() is trace.INVALID_SPAN
        """,
        needs=("opentelemetry.context",),
    ),
    "django_now": Use(
        """\
        from django.conf import settings
        settings.configure(USE_TZ=True)
        from django.utils import timezone
        NOW = timezone.now()
        """,
        "def test_it(): assert (timezone.now() - NOW).total_seconds() < 5\n",
        "asks for the time",
        needs=("django",),
    ),
    "django": Use(
        """\
        import django
        from django.conf import settings
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3",
                                                  "NAME": ":memory:"}})
        django.setup()
        """,
        """\
        def test_it():
            from django.db import connection
            with connection.cursor() as cursor:
                cursor.execute("select 1")
                assert cursor.fetchone() == (1,)
        """,
        needs=("django",),
    ),
}

LIBRARIES = {**NUMERICAL, **DRAWING, **NETWORKING, **OTHERS}
