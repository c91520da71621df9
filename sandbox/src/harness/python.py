# The harness for Python. `protocol.rs` says what is read and written; the comments here say why it is done so.
#
# What becomes of a result: dict and mappings, dataclasses → object; list, tuple, set (sorted where it can be), range, deque,
# views → array; Enum → its value; date, time → ISO 8601; timedelta → seconds; Decimal → number where a double says the same,
# else text; bytes → base64; UUID, Path → text; numpy → .tolist(); pandas → rows as objects, columns as arrays, with what is
# missing as null. All else is an error that names its place, as are NaN, Infinity and integers beyond 64 bits.

import os
import sys


def harness():
    import _collections_abc as abc
    import binascii
    import errno
    import stat
    import types

    # Not inherited by the script's children, and still there when the script has closed or redirected its own.
    out, err = os.dup(1), os.dup(2)
    home = os.getcwd()
    own = os.getpid()
    sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
    sys.stderr.reconfigure(errors="backslashreplace")

    deepest = 120
    longest = 32 * 1024

    class Source:
        """Where tracebacks that the script itself prints find its lines."""

        def __init__(self, text):
            self.text = text

        def get_source(self, _name):
            return self.text

    def codec():
        """What reads and writes JSON: where they are and do what is expected, the parts of `json` that are in C, since
        the module itself takes as long to import as all else together."""
        try:
            import _json

            class Reading:
                strict = True
                object_hook = object_pairs_hook = parse_constant = None
                parse_float, parse_int = float, int
                memo = {}

            scan = _json.make_scanner(Reading)
            quote = _json.encode_basestring_ascii
            encode = _json.make_encoder(None, None, quote, None, ":", ",", False, False, False)

            def loads(said):
                return scan(said, 0)[0]

            def dumps(value):
                return "".join(encode(value, 0))

            trial = '{"a":[1,2.5,null,true,"\\u00e9"]}'
            if dumps(loads(trial)) == trial:
                return loads, dumps
        except Exception:
            pass
        import json

        return json.loads, lambda value: json.dumps(value, allow_nan=False, separators=(",", ":"))

    loads, dumps = codec()

    def lines(script, source):
        """What knows the script's lines. Imported where it is needed: most scripts do not fail."""
        import linecache

        linecache.cache[script] = (len(source), None, source.splitlines(True), script)
        return linecache

    class Unsayable(Exception):
        """A result that JSON has no word for."""

    def is_a(value, module, *names):
        # Without importing what the script has not imported.
        module = sys.modules.get(module)
        return module is not None and any(isinstance(value, getattr(module, name, ())) for name in names)

    def article(value):
        name = type(value).__name__
        return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"

    def where(path):
        return "result" + "".join(f"[{key}]" for key in path)

    def shown(key):
        return dumps(str(key)) if isinstance(key, str) else cut(repr(key), 100)

    def text(value, path):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                half = value[error.start].encode("unicode_escape").decode()
                raise Unsayable(f"{where(path)} holds half a character ({half}): it was not read as UTF-8") from None
        return value

    def number(value, path):
        if value != value or value in (float("inf"), float("-inf")):
            raise Unsayable(f"{where(path)} is {value!r}, which JSON has no word for")
        return value

    def integer(value, path):
        if not -(2**63) <= value < 2**64:
            raise Unsayable(
                f"{where(path)} is an integer of {value.bit_length()} bits, and 64 is what passes whole: "
                "make it a float or a str"
            )
        return int(value)

    def name(key, path):
        """A key of an object, as json.dumps names it, and numpy's numbers as what they are."""
        if isinstance(key, str):
            return text(str(key), path)
        if hasattr(key, "dtype") and callable(getattr(key, "item", None)):
            key = key.item()
        if key is True or key is False or key is None:
            return {True: "true", False: "false", None: "null"}[key]
        if isinstance(key, int):
            return str(integer(key, path + [shown(key)]) if abs(key) > 2**63 else int(key))
        if isinstance(key, float):
            return float.__repr__(number(key, path))
        raise Unsayable(f"{where(path)} has the key {shown(key)}, {article(key)}: keys are str")

    def members(pairs, path, missing):
        said = {}
        for key, value in pairs:
            word = name(key, path)
            if word in said:
                raise Unsayable(f"{where(path)} has two keys that are {dumps(word)} in JSON")
            said[word] = plain(value, path + [shown(key)], missing)
        return said

    def elements(values, path, missing):
        return [plain(value, path + [at], missing) for at, value in enumerate(values)]

    def plain(value, path, missing=False):
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return text(value, path)
        if kind is int:
            return integer(value, path)
        if missing and is_missing(value):
            return None
        if kind is float:
            return number(value, path)
        if len(path) >= deepest:
            raise Unsayable(f"the result is nested deeper than {deepest} levels, or holds itself: {where(path[:8])}…")
        if kind is dict:
            return members(value.items(), path, missing)
        if kind is list or kind is tuple:
            return elements(value, path, missing)
        return unusual(value, path, missing)

    def unusual(value, path, missing):
        if is_a(value, "enum", "Enum"):
            return plain(value.value, path, missing)
        if isinstance(value, str):
            return text(str.__str__(value), path)
        if isinstance(value, int):
            return integer(value, path)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return binascii.b2a_base64(value, newline=False).decode()
        # pandas before numpy: its columns have a dtype as well.
        if callable(getattr(value, "to_dict", None)) and hasattr(value, "columns"):
            return elements(value.to_dict(orient="records"), path, True)
        if callable(getattr(value, "tolist", None)):
            if getattr(getattr(value, "dtype", None), "kind", "") in ("M", "m") and hasattr(value, "astype"):
                # Nanoseconds become integers else. pandas has its own times, which .tolist() gives as what they are.
                if not hasattr(value, "index") and not hasattr(value, "name"):
                    value = value.astype(f"{'datetime64' if value.dtype.kind == 'M' else 'timedelta64'}[us]")
            return plain(value.tolist(), path, missing or hasattr(value, "isna"))
        if type(value).__name__ == "NAType" or type(value).__name__ == "NaTType":
            return None
        if is_a(value, "datetime", "timedelta"):
            return value.total_seconds()
        if callable(getattr(value, "isoformat", None)):
            return text(value.isoformat(), path)
        if is_a(value, "decimal", "Decimal"):
            return decimal(value, path)
        if isinstance(value, float):
            return number(float(value), path)
        if is_a(value, "uuid", "UUID"):
            return str(value)
        if isinstance(value, abc.Mapping):
            return members(value.items(), path, missing)
        if isinstance(value, abc.Set):
            try:
                return elements(sorted(value), path, missing)
            except TypeError:
                return elements(value, path, missing)
        if isinstance(value, (abc.Sequence, abc.ValuesView)):
            return elements(value, path, missing)
        fields = getattr(value, "__dataclass_fields__", None)
        if fields is not None and not isinstance(value, type):
            return members(((field, getattr(value, field)) for field in fields), path, missing)
        if hasattr(type(value), "__fspath__"):
            return plain(os.fspath(value), path, missing)
        raise Unsayable(f"{where(path)} is {article(value)}, which JSON has no word for")

    def is_missing(value):
        return isinstance(value, float) and value != value or type(value).__name__ in ("NAType", "NaTType")

    def decimal(value, path):
        if not value.is_finite():
            raise Unsayable(f"{where(path)} is {value}, which JSON has no word for")
        if value == value.to_integral_value() and abs(value) < 2**63:
            return int(value)
        near = float(value)
        return near if abs(near) != float("inf") and type(value)(repr(near)) == value else str(value)

    def cut(said, length=longest):
        """Short enough, and without what no JSON can hold."""
        said = said.encode("utf-8", "backslashreplace").decode()
        if len(said) <= length:
            return said
        return f"{said[: length // 2]}\n[… {len(said) - length} characters …]\n{said[-(length // 2) :]}"

    def said_by(error):
        try:
            return str(error)
        except BaseException:
            return ""

    def frames(tb):
        while tb is not None:
            yield tb
            tb = tb.tb_next

    def from_script(tb, script):
        """The traceback from the script's first frame on."""
        return next((tb for tb in frames(tb) if tb.tb_frame.f_code.co_filename == script), None)

    def limit(error, tb, known):
        """The limit of the sandbox that an error stands for."""
        if isinstance(error, MemoryError) or isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return "memory"
        if isinstance(error, RuntimeError) and said_by(error) == "can't start new thread":
            return "processes"
        if isinstance(error, BlockingIOError) and error.errno == errno.EAGAIN and tb is not None:
            *_, last = frames(tb)
            code = last.tb_frame.f_code
            line = known().getline(code.co_filename, last.tb_lineno)
            if code.co_name == "_execute_child" or any(call in line for call in ("fork", "spawn", "popen")):
                return "processes"
        return None

    def failed(error, script, source, main=None):
        tb = from_script(error.__traceback__, script)
        hit = limit(error, tb, lambda: lines(script, source))
        if hit == "memory":
            # What its frames hold is what there is no memory for. Those that still run refuse.
            for at in frames(error.__traceback__):
                try:
                    at.tb_frame.clear()
                except RuntimeError:
                    pass
        kind, message = type(error).__name__, said_by(error)
        line = None
        for at in frames(tb):
            if at.tb_frame.f_code.co_filename == script:
                line = at.tb_lineno
        if isinstance(error, SyntaxError) and error.filename == script:
            line, message = error.lineno, error.msg
        elif isinstance(error, SystemExit) and isinstance(error.code, int):
            message = f"the script ended itself with status {error.code}"
        elif tb is None and line is None:
            line = getattr(getattr(main, "__code__", None), "co_firstlineno", None)
        try:
            lines(script, source)
            import traceback

            told = "".join(traceback.format_exception(type(error), error, tb))
        except BaseException:
            told = f"{kind}: {message}\n"
        answer = {"error": {"kind": kind, "message": cut(message, 8192), "line": line or None, "traceback": cut(told)}}
        if hit:
            answer["limit"] = hit
        return answer

    def unsayable(error):
        return {"error": {"kind": "result", "message": cut(said_by(error), 8192), "line": None, "traceback": ""}}

    def file(path):
        """A file in the working directory, or nothing."""
        if path.startswith("/") or ".." in path.split("/"):
            return None
        try:
            # A directory that the script has moved is not where it was.
            whole = os.path.realpath(os.path.join(home, path))
            if not whole.startswith(os.path.join(os.path.realpath(home), "")) or not stat.S_ISREG(os.stat(whole).st_mode):
                return None
            with open(whole, "rb") as opened:
                return binascii.b2a_base64(opened.read(), newline=False).decode()
        except OSError:
            return None

    def run(script, source, inputs, files):
        for path, content in files:
            try:
                with open(path, "wb") as opened:
                    opened.write(content)
            except OSError as error:
                message = f"its input file {path} could not be written: {said_by(error)}"
                return {"error": {"kind": type(error).__name__, "message": message}}
        # A list that its caller holds as well.
        files.clear()
        try:
            code = compile(source, script, "exec", dont_inherit=True)
        except BaseException as error:
            # A parser that is too deep says MemoryError: no limit.
            answer = failed(error, script, source)
            answer.pop("limit", None)
            return answer
        module = types.ModuleType("__main__")
        module.__file__ = script
        module.__loader__ = Source(source)
        module.inputs = inputs
        sys.modules["__main__"] = module
        sys.argv = [script]
        main = None
        try:
            try:
                exec(code, module.__dict__)
                main = module.__dict__.get("main")
                if callable(main):
                    result = main(inputs)
                    if isinstance(result, types.CoroutineType):
                        import asyncio

                        result = asyncio.run(result)
                else:
                    result = module.__dict__.get("result")
            except SystemExit as error:
                if error.code is not None and error.code != 0:
                    raise
                result = module.__dict__.get("result")
            sys.setrecursionlimit(10_000)
            return {"result": plain(result, [])}
        except Unsayable as error:
            return unsayable(error)
        except BaseException as error:
            return failed(error, script, source, main)

    def write(fd, data):
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def answered(mark, answer, outputs):
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            try:
                stream.flush()
            except BaseException:
                pass
        # What threads go on to print must not get into the answer.
        try:
            null = os.open("/dev/null", os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
        except OSError:
            pass
        answer["files"] = [file(path) for path in outputs]
        return dumps(answer).encode()

    def meanwhile():
        """Where nobody has an order yet: imports what most scripts import, so that they need not wait for it."""
        import select

        try:
            if not select.select([0], [], [], 0.2)[0]:
                import datetime, json
        except Exception:
            # An interpreter that lacks them is one nevertheless.
            pass

    def order():
        read = sys.stdin.buffer.read
        line = sys.stdin.buffer.readline

        def words():
            return line().decode().rstrip("\n")

        mark = words()
        if not mark:
            os._exit(0)
        script = words()
        lengths = [int(word) for word in words().split()]
        files = [words().split(" ", 1) for _ in range(lengths[2])]
        outputs = [words() for _ in range(lengths[3])]
        for _ in range(lengths[4]):
            words()
        source = read(lengths[0]).decode().removeprefix("\ufeff")
        inputs = loads(read(lengths[1]).decode())
        files = [(path, read(int(length))) for length, path in files]
        return mark, script, source, inputs, files, outputs

    null = os.open("/dev/null", os.O_RDONLY)
    os.write(out, b"ready\n")
    meanwhile()
    mark, script, source, inputs, files, outputs = order()
    os.dup2(null, 0)
    os.close(null)
    sys.stdin = open(0, closefd=False)

    answer = run(script, source, inputs, files)
    if os.getpid() != own:
        # A child that the script has forked and that got here.
        os._exit(0)
    try:
        framed = answered(mark, answer, outputs)
    except MemoryError:
        framed = b'{"limit":"memory"}'
    write(err, mark.encode())
    write(out, b"%s %d\n%s" % (mark.encode(), len(framed), framed))
    # Neither threads nor what is registered for the end are waited for.
    os._exit(0)


harness()
