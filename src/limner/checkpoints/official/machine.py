"""A pickle interpreter that can build values and nothing else.

A pickle is a program for a stack machine. Python's own machine gives it five ways to run code: importing a name
(GLOBAL, STACK_GLOBAL, INST, EXT), calling it (REDUCE, OBJ, INST), making an object (NEWOBJ), and setting state (BUILD),
which calls `__setstate__` or writes attributes. Subclassing `pickle.Unpickler` guards the first door alone: whatever
`find_class` lets through is really imported and really called, BUILD acts on real objects, hashing and comparing a key
runs its methods, and declared sizes are allocated before they are checked. So this is a machine of our own:

- a name becomes a `Global`, which is two strings; nothing is ever imported;
- REDUCE and NEWOBJ look the two strings up in the table of `constructors`; what is not there is refused;
- BUILD fills a `Record` or an array, both of which are ours, and nothing else;
- keys of dicts and members of sets are text, small whole numbers, booleans or None, so no lookup can be made slow;
- bytes are views of the mapped file, never copied here; text and instructions are counted against the file's `Quota`.

Source: the opcodes as documented by Python's `pickletools` (protocols 0 to 5).
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Mapping
from typing import Any

from limner.checkpoints.official.numpy_arrays import fill_array
from limner.checkpoints.official.quota import MAX_NESTING, Quota
from limner.checkpoints.official.records import Array, Global, NumberType, Record

Constructor = Callable[["Machine", tuple[Any, ...]], Any]
"""Builds a value from the arguments the file gives."""
PersistentLoad = Callable[["Machine", Any], Any]
"""Builds a value from a persistent id."""

PICKLE_PROTOCOL = 5
"""Newest protocol."""
MAX_LINE = 4096
"""Bytes of an argument written as a line of text."""
MAX_INTEGER_BYTES = 32
"""Torch's magic number, the longest there is, takes 10."""
LONGEST_OLD_TEXT = 2**16
"""Python 2 wrote text and numbers of arrays alike; what is longer stays bytes."""


class Machine:
    """Runs one pickle.

    Args:
        data: bytes that hold it.
        quota: what may be spent.
        constructors: what may be called, and what it does here; None marks names that are values only.
        start: where the pickle begins.
        persistent_load: what a persistent id means; None: the file may have none.
    """

    def __init__(
        self,
        data: memoryview,
        quota: Quota,
        constructors: Mapping[Global, Constructor | None],
        *,
        start: int = 0,
        persistent_load: PersistentLoad | None = None,
    ) -> None:
        self.data, self.quota, self.constructors = data, quota, constructors
        self.position = start
        self._persistent_load = persistent_load
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return the value the pickle builds; `position` is then the byte after it.

        Raises:
            CheckpointError: it is damaged, asks for something outside the table, or exceeds the quota.
        """
        while True:
            self.quota.spend_opcode()
            opcode = self._take(1)[0]
            if opcode == STOP:
                return self._pop()
            action = ACTIONS.get(opcode)
            if action is None:
                raise self.quota.damaged(f"byte {self.position - 1} is no pickle instruction")
            action(self)

    # Reading arguments

    def _take(self, size: int) -> memoryview:
        end = self.position + size
        if end > len(self.data):
            raise self.quota.damaged(f"it ends after {len(self.data):,} bytes, inside a value")
        view = self.data[self.position : end]
        self.position = end
        return view

    def _unsigned(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _sized(self, size: int) -> memoryview:
        return self._take(self._unsigned(size))

    def _line(self) -> str:
        ahead = bytes(self.data[self.position : self.position + MAX_LINE])
        end = ahead.find(b"\n")
        if end < 0:
            raise self.quota.damaged(f"a line of text at byte {self.position} does not end")
        self.position += end + 1
        return self._text(memoryview(ahead)[:end], "utf-8")

    def _text(self, view: memoryview, encoding: str) -> str:
        self.quota.spend_text(len(view))
        try:
            return str(view, encoding, "surrogatepass" if encoding == "utf-8" else "strict")
        except UnicodeDecodeError:
            raise self.quota.damaged("a text is not valid Unicode") from None

    # The stack

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack:
            raise self.quota.damaged("an instruction uses a value that is not there")
        return self._stack.pop()

    def _top(self, kind: type | tuple[type, ...]) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise self.quota.damaged("an instruction meets a value of the wrong kind")
        return self._stack[-1]

    def _mark(self) -> None:
        if len(self._outer) >= MAX_NESTING:
            raise self.quota.refused(f"nests values more than {MAX_NESTING} deep, which no checkpoint does")
        self._outer.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        if not self._outer:
            raise self.quota.damaged("a group of values has no beginning")
        values, self._stack = self._stack, self._outer.pop()
        return values

    def _pop_or_unmark(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def _duplicate(self) -> None:
        self._push(self._top(object))

    # Values

    def _integer_line(self) -> None:
        text = self._line()
        booleans = {"00": False, "01": True}
        digits = text.removesuffix("L")
        if text in booleans:
            self._push(booleans[text])
        elif len(digits) <= 2 * MAX_INTEGER_BYTES and digits.removeprefix("-").isascii() and digits[-1:].isdigit():
            try:
                self._push(int(digits))
            except ValueError:
                raise self.quota.damaged(f"'{digits[:20]}' is no whole number") from None
        else:
            raise self.quota.damaged(f"'{text[:20]}' is no whole number")

    def _long(self, size: int) -> None:
        count = self._unsigned(size)
        if count > MAX_INTEGER_BYTES:
            raise self.quota.damaged(f"a whole number is declared {count:,} bytes long")
        self._push(int.from_bytes(self._take(count), "little", signed=True))

    def _float_line(self) -> None:
        text = self._line()
        try:
            self._push(float(text))
        except ValueError:
            raise self.quota.damaged(f"'{text[:20]}' is no number") from None

    def _old_text(self, view: memoryview) -> None:
        """Push what Python 2 called a string: text, or the numbers of an array."""
        self._push(view if len(view) > LONGEST_OLD_TEXT else self._text(view, "latin-1"))

    def _quoted_text(self) -> None:
        text = self._line()
        if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
            raise self.quota.damaged("a quoted text has no quotes")
        try:
            raw = codecs.escape_decode(text[1:-1].encode("latin-1"))[0]
        except ValueError:  # a wrong escape, or a character that Python 2 did not write
            raise self.quota.damaged("a quoted text is spelled wrongly") from None
        self._push(self._text(memoryview(raw), "latin-1"))

    def _escaped_text(self) -> None:
        text = self._line()
        try:
            self._push(text.encode("latin-1").decode("raw-unicode-escape"))
        except ValueError:
            raise self.quota.damaged("a text is spelled wrongly") from None

    # Containers

    def key(self, value: Any) -> Any:
        """Return `value` if it may be a key of a dict or a member of a set."""
        if value is None or isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < 2**31):
            return value
        raise self.quota.refused(f"uses a {type(value).__name__} as a name, which no checkpoint does")

    def _set_items(self, target: dict[Any, Any], values: list[Any]) -> None:
        if len(values) % 2:
            raise self.quota.damaged("a key has no value")
        for place in range(0, len(values), 2):
            target[self.key(values[place])] = values[place + 1]

    def _dict(self) -> None:
        values, made = self._since_mark(), dict[Any, Any]()
        self._set_items(made, values)
        self._push(made)

    def _append(self) -> None:
        value = self._pop()
        self._top(list).append(value)

    def _extend(self) -> None:
        values = self._since_mark()
        self._top(list).extend(values)

    def _set_item(self) -> None:
        value = self._pop()
        key = self._pop()
        self._set_items(self._top(dict), [key, value])

    def _set_items_since_mark(self) -> None:
        values = self._since_mark()
        self._set_items(self._top(dict), values)

    def _add_items(self) -> None:
        values = self._since_mark()
        self._top(set).update(self.key(value) for value in values)

    def _frozen_set(self) -> None:
        self._push({self.key(value) for value in self._since_mark()})

    def _tuple(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(values)))

    # The memo

    def _remember(self, index: int) -> None:
        self._memo[index] = self._top(object)

    def _recall(self, index: int) -> None:
        if index not in self._memo:
            raise self.quota.damaged(f"it refers to value {index}, which was not kept")
        self._push(self._memo[index])

    def _index_line(self) -> int:
        text = self._line()
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise self.quota.damaged(f"'{text[:20]}' is no number of a kept value")
        return int(text)

    # Names, calls, objects

    def _global(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise self.quota.damaged("a name is not text")
        known = Global(module, name)
        if known not in self.constructors:
            raise self.quota.refused(f"asks for {_printable(str(known))}, which no checkpoint needs")
        self._push(known)

    def _global_lines(self) -> None:
        module = self._line()
        self._global(module, self._line())

    def _stack_global(self) -> None:
        name = self._pop()
        self._global(self._pop(), name)

    def _call(self) -> None:
        args, called = self._pop(), self._pop()
        if not isinstance(called, Global) or not isinstance(args, tuple):
            raise self.quota.refused("calls something that is not a listed name")
        constructor = self.constructors[called]
        if constructor is None:
            raise self.quota.refused(f"calls {called}, which is not made to be called")
        self._push(constructor(self, args))

    def _call_with_keywords(self) -> None:
        keywords = self._pop()
        if not isinstance(keywords, dict) or keywords:
            raise self.quota.refused("makes an object with keyword arguments, which no checkpoint does")
        self._call()

    def _build(self) -> None:
        state = self._pop()
        target = self._top(object)
        if isinstance(target, Record) and isinstance(state, dict):
            target.state.update(state)
        elif isinstance(target, Array) and isinstance(state, tuple):
            fill_array(target, state)
        elif isinstance(target, NumberType) and isinstance(state, tuple):
            target.is_big_endian = state[1:2] == (">",)
        elif not (isinstance(target, dict) and isinstance(state, dict)):  # attributes of a dict are of no use here
            raise self.quota.refused(f"sets the state of a {type(target).__name__}, which no checkpoint does")

    def _persistent(self, identity: Any) -> None:
        if self._persistent_load is None:
            raise self.quota.refused("refers to values outside of itself")
        self._push(self._persistent_load(self, identity))

    # Framing

    def _protocol(self) -> None:
        number = self._unsigned(1)
        if number > PICKLE_PROTOCOL:
            raise self.quota.damaged(f"pickle protocol {number} does not exist")

    def _frame(self) -> None:
        size = self._unsigned(8)
        if size > len(self.data) - self.position:
            raise self.quota.damaged(
                f"a frame of {size:,} bytes is declared, {len(self.data) - self.position:,} follow"
            )

    def _forbidden(self) -> None:
        raise self.quota.refused("uses a pickle instruction that no checkpoint does")


def _printable(text: str) -> str:
    """Text of a file as it may be shown on a terminal: short, on one line."""
    return ascii(text[:80])[1:-1]


STOP = ord(".")

ACTIONS: dict[int, Callable[[Machine], Any]] = {
    # numbers
    ord("K"): lambda m: m._push(m._unsigned(1)),
    ord("M"): lambda m: m._push(m._unsigned(2)),
    ord("J"): lambda m: m._push(int.from_bytes(m._take(4), "little", signed=True)),
    ord("I"): Machine._integer_line,
    ord("L"): Machine._integer_line,
    0x8A: lambda m: m._long(1),
    0x8B: lambda m: m._long(4),
    ord("F"): Machine._float_line,
    ord("G"): lambda m: m._push(struct.unpack(">d", m._take(8))[0]),
    ord("N"): lambda m: m._push(None),
    0x88: lambda m: m._push(True),
    0x89: lambda m: m._push(False),
    # text and bytes
    ord("S"): Machine._quoted_text,
    ord("T"): lambda m: m._old_text(m._sized(4)),
    ord("U"): lambda m: m._old_text(m._sized(1)),
    ord("V"): Machine._escaped_text,
    ord("X"): lambda m: m._push(m._text(m._sized(4), "utf-8")),
    0x8C: lambda m: m._push(m._text(m._sized(1), "utf-8")),
    0x8D: lambda m: m._push(m._text(m._sized(8), "utf-8")),
    ord("B"): lambda m: m._push(m._sized(4)),
    ord("C"): lambda m: m._push(m._sized(1)),
    0x8E: lambda m: m._push(m._sized(8)),
    0x96: lambda m: m._push(m._sized(8)),
    # containers
    ord("]"): lambda m: m._push([]),
    ord("}"): lambda m: m._push({}),
    ord(")"): lambda m: m._push(()),
    0x8F: lambda m: m._push(set()),
    ord("l"): lambda m: m._push(m._since_mark()),
    ord("d"): Machine._dict,
    ord("t"): lambda m: m._push(tuple(m._since_mark())),
    0x85: lambda m: m._tuple(1),
    0x86: lambda m: m._tuple(2),
    0x87: lambda m: m._tuple(3),
    0x91: Machine._frozen_set,
    ord("a"): Machine._append,
    ord("e"): Machine._extend,
    ord("s"): Machine._set_item,
    ord("u"): Machine._set_items_since_mark,
    0x90: Machine._add_items,
    # stack and memo
    ord("("): Machine._mark,
    ord("0"): Machine._pop_or_unmark,
    ord("1"): lambda m: m._since_mark(),
    ord("2"): Machine._duplicate,
    ord("p"): lambda m: m._remember(m._index_line()),
    ord("q"): lambda m: m._remember(m._unsigned(1)),
    ord("r"): lambda m: m._remember(m._unsigned(4)),
    0x94: lambda m: m._remember(len(m._memo)),
    ord("g"): lambda m: m._recall(m._index_line()),
    ord("h"): lambda m: m._recall(m._unsigned(1)),
    ord("j"): lambda m: m._recall(m._unsigned(4)),
    # names, calls, objects
    ord("c"): Machine._global_lines,
    0x93: Machine._stack_global,
    ord("R"): Machine._call,
    0x81: Machine._call,
    0x92: Machine._call_with_keywords,
    ord("b"): Machine._build,
    ord("P"): lambda m: m._persistent(m._line()),
    ord("Q"): lambda m: m._persistent(m._pop()),
    # framing, and what is never done
    0x80: Machine._protocol,
    0x95: Machine._frame,
    **dict.fromkeys((ord("i"), ord("o"), 0x82, 0x83, 0x84, 0x97, 0x98), Machine._forbidden),
}
