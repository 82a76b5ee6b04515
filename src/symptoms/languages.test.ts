/** Traces that CPython 3.12, Go 1.26 and OpenJDK 17 really printed, read back. */
import { describe, expect, it } from 'vitest';
import { hintsTrace, tracesIn } from './log.ts';

function read(text: string) {
  const lines = text.split('\n');
  expect(lines.some(hintsTrace)).toBe(true);
  return tracesIn(lines.map((line, at) => ({ at, stream: 'stderr', text: line })));
}

describe('a traceback of Python', () => {
  const cause = `Traceback (most recent call last):
  File "/app/p.py", line 6, in load
    inner({"email": None})
  File "/app/p.py", line 3, in inner
    return d["email"].lower()
           ^^^^^^^^^^^^^^^^
AttributeError: 'NoneType' object has no attribute 'lower'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/p.py", line 15, in <module>
    load()
    ^^^^^^
  File "/app/p.py", line 8, in load
    raise ValueError("could not load order 17") from e
ValueError: could not load order 17`;

  it('is the exception that was raised, its causes behind it, innermost place first', () => {
    const [found, ...rest] = read(`before\n${cause}\nafter`);
    expect(rest).toEqual([]);
    expect(found!.lines).toHaveLength(17);
    expect(found!.trace).toMatchObject({
      ...{ runtime: 'python', type: 'ValueError', message: 'could not load order 17' },
      places: [
        { file: '/app/p.py', function: 'load', line: 8 },
        { file: '/app/p.py', function: '<module>', line: 15 },
      ],
      causes: [{ type: 'AttributeError', places: [{ function: 'inner', line: 3 }, { line: 6 }] }],
    });
  });

  it('is read twice when it was logged twice, and without a message', () => {
    const own =
      'Traceback (most recent call last):\n  File "/app/p.py", line 21, in <module>\n    raise Gone\nGone';
    expect(read(`${own}\nERROR:root:x\n${own}`).map(({ trace }) => trace.type)).toEqual([
      ...['Gone', 'Gone'],
    ]);
  });
});

describe('a panic of Go', () => {
  it('that ends the process', () => {
    const [found] = read(`panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x65e2fd]

goroutine 1 [running]:
main.(*order).mail(...)
	/app/main.go:13
main.main()
	/app/main.go:18 +0xdd`);
    expect(found!.trace).toMatchObject({
      ...{ runtime: 'go', type: 'runtime error', uncaught: true },
      message: 'invalid memory address or nil pointer dereference',
      places: [
        { file: '/app/main.go', function: 'main.(*order).mail', line: 13 },
        { file: '/app/main.go', function: 'main.main', line: 18 },
      ],
    });
  });

  it('that a server survives begins where it panicked', () => {
    const [found] = read(`2026/11/26 02:21:01 http: panic serving 127.0.0.1:60242: no row 17
goroutine 3 [running]:
net/http.(*conn).serve.func1()
	/usr/local/go/src/net/http/server.go:1897 +0xbd
panic({0x6f6c20?, 0x9fbc10?})
	/usr/local/go/src/runtime/panic.go:860 +0x13a
main.(*order).mail(...)
	/app/main.go:13
main.main.func2({0x62dd65?, 0x34f96e306038?}, 0x0?)
	/app/main.go:26 +0x10
created by net/http.(*Server).Serve in goroutine 22
	/usr/local/go/src/net/http/server.go:3464 +0x485`);
    expect(found!.trace).toMatchObject({ type: 'panic', message: 'no row 17', uncaught: false });
    expect(found!.trace.places.map((place) => place.function)).toEqual([
      ...['main.(*order).mail', 'main.main.func2'],
    ]);
  });
});

describe('a stack trace of Java', () => {
  it('has its causes and its files by package', () => {
    const [found, ...rest] =
      read(`Exception in thread "main" java.lang.IllegalStateException: could not load
order 17
	at com.shop.Main.load(Main.java:4)
	at com.shop.Main.main(Main.java:8)
Caused by: java.lang.NullPointerException: Cannot invoke "Object.toString()" because "<parameter1>" is null
	at com.shop.Main.mail(Main.java:3)
	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
	... 9 more
after`);
    expect(rest).toEqual([]);
    expect(found!.lines).toHaveLength(8);
    expect(found!.trace).toMatchObject({
      ...{ runtime: 'java', type: 'IllegalStateException', uncaught: true },
      message: 'could not load\norder 17',
      places: [
        { file: 'com/shop/Main.java', function: 'com.shop.Main.load', line: 4 },
        { line: 8 },
      ],
      causes: [{ type: 'NullPointerException', places: [{ line: 3 }, { line: 0 }] }],
    });
  });

  it('is found behind a logger and without a message', () => {
    const logged = '12:00 ERROR c.s.Main - failed: java.lang.IllegalStateException: no';
    const own = 'Exception in thread "main" com.shop.Main$Gone';
    const found = read(
      `${logged}\n\tat com.shop.Main.load(Main.java:4)\n${own}\n\tat com.shop.Main.main(Main.java:6)`,
    );
    expect(found.map(({ trace }) => [trace.type, trace.uncaught])).toEqual([
      ['IllegalStateException', false],
      ['Main$Gone', true],
    ]);
  });
});
