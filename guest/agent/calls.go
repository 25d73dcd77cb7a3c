package agent

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"time"
)

const defaultLimit = 1 << 20

// Hello waits for guestd's first word. It may be called again, and then
// answers at once.
func (c *Client) Hello(ctx context.Context) (Hello, error) {
	select {
	case <-c.hello:
	case <-c.done:
		select {
		case <-c.hello: // said before the line ended
		default:
			return Hello{}, wrap("waiting for guestd", c.err)
		}
	case <-ctx.Done():
		return Hello{}, wrap("waiting for guestd", ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return Hello{}, c.failed
	}
	if v := c.helloMsg.Version; v != Version {
		return c.helloMsg, errors.New("guestd speaks version " + strconv.Itoa(int(v)) + " of the protocol and this program " + strconv.Itoa(Version) + ": build both anew")
	}
	return c.helloMsg, nil
}

// Configure tells guestd what its guest is to be and waits until it is. When
// the guest cannot be that, the error is a *FailedError.
func (c *Client) Configure(ctx context.Context, m Machine) (Ready, error) {
	body := m.append(nil)
	if len(body) > MaxMachine {
		return Ready{}, tooMuch("configuring the guest: its files and settings", len(body), MaxMachine)
	}
	var ready Ready
	id, cl, err := c.begin(func(f frame) (last bool, err error) {
		switch f.kind {
		case kindReady:
			ready, err = decodeReady(f.body)
			for i, w := range ready.Warnings {
				ready.Warnings[i] = clean(w)
			}
			return true, err
		case kindFailed:
			return true, &FailedError{clean(string(f.body))}
		}
		return false, errUnexpected
	})
	if err != nil {
		return Ready{}, wrap("configuring the guest", err)
	}
	defer c.forget(id)
	for more := true; more && err == nil; {
		n := min(len(body), MaxBody)
		more = n < len(body)
		err = c.send(ctx, cl, frame{kind: kindMachine, more: more, id: id, body: body[:n]})
		body = body[n:]
	}
	if err == nil {
		select {
		case <-cl.done:
			err = cl.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		// An answer may still be under way, so ready is not to be touched.
		return Ready{}, wrap("configuring the guest", err)
	}
	return ready, nil
}

// Exec runs a program and waits for its end. An exit code, even 127, is a
// result; an error means that there is none. When ctx ends, the guest is told
// to kill the program.
func (c *Client) Exec(ctx context.Context, e Exec) (ExecResult, error) {
	if len(e.Args) == 0 {
		return ExecResult{}, errors.New("running nothing: no program named")
	}
	what := "running " + e.Args[0]
	if e.Limit <= 0 {
		e.Limit = defaultLimit
	}
	if until, ok := ctx.Deadline(); ok {
		// Rounded up a little, so that a live line reports the context's end.
		if left := max(time.Until(until), 0) + time.Second; e.Timeout <= 0 || left < e.Timeout {
			e.Timeout = left
		}
	}
	body := e.append(nil)
	if len(body) > maxArgs {
		return ExecResult{}, tooMuch(what+": its arguments", len(body), maxArgs)
	}
	if len(e.Stdin) > MaxStdin {
		return ExecResult{}, tooMuch(what+": the bytes of its input", len(e.Stdin), MaxStdin)
	}
	var res ExecResult
	keep := func(to *[]byte, b []byte) {
		if room := e.Limit - len(*to); len(b) > room {
			b = b[:room]
			res.Cut = true
		}
		*to = append(*to, b...)
	}
	err := c.request(ctx, frame{kind: kindExec, more: len(e.Stdin) > 0, body: body}, e.Stdin, func(f frame) (bool, error) {
		switch {
		case f.kind == kindOutput && len(f.body) > 0 && f.body[0] == 1:
			keep(&res.Stdout, f.body[1:])
			return false, nil
		case f.kind == kindOutput && len(f.body) > 0 && f.body[0] == 2:
			keep(&res.Stderr, f.body[1:])
			return false, nil
		case f.kind == kindExit:
			x, err := decodeExit(f.body)
			res.Code = int(x.code)
			res.Cut = res.Cut || x.cut
			res.Doubt = clean(x.doubt)
			return true, err
		}
		return false, errUnexpected
	})
	if err != nil {
		return ExecResult{}, wrap(what, err)
	}
	return res, nil
}

// Verify is Exec for a Pristine program.
func (c *Client) Verify(ctx context.Context, e Exec) (ExecResult, error) {
	e.Pristine = true
	before := c.strangers()
	res, err := c.Exec(ctx, e)
	if err == nil && c.strangers() != before {
		if res.Doubt != "" {
			res.Doubt += "; "
		}
		res.Doubt += "answers that nobody had asked for came on guestd's line"
	}
	return res, err
}

// Put writes a file, whole or not at all. It makes the folders above it, and
// replaces what is there: a symbolic link too, not what that points at.
func (c *Client) Put(ctx context.Context, path string, mode uint32, data []byte) error {
	if len(data) > MaxFile {
		return tooMuch("writing "+path+" in the guest: its contents", len(data), MaxFile)
	}
	if len(path) > 4096 {
		return errors.New("writing a file in the guest: the path is too long")
	}
	body := putRequest{path, mode}.append(nil)
	return wrap("writing "+path+" in the guest", c.request(ctx, frame{kind: kindPut, more: true, body: body}, data, acknowledged))
}

// Get reads a regular file of at most limit bytes (0 means MaxFile). A longer
// one is an error.
func (c *Client) Get(ctx context.Context, path string, limit int) (data []byte, mode uint32, err error) {
	if limit <= 0 || limit > MaxFile {
		limit = MaxFile
	}
	if len(path) > 4096 {
		return nil, 0, errors.New("reading a file in the guest: the path is too long")
	}
	what := "reading " + path + " in the guest"
	body := getRequest{path, uint32(limit)}.append(nil)
	err = c.request(ctx, frame{kind: kindGet, body: body}, nil, func(f frame) (bool, error) {
		switch f.kind {
		case kindInfo:
			if len(f.body) != 4 {
				return false, errMalformed
			}
			mode = binary.BigEndian.Uint32(f.body) & 0o7777
			return false, nil
		case kindData:
			if len(data)+len(f.body) > limit {
				return false, errors.New("more came than the " + strconv.Itoa(limit) + " bytes asked for")
			}
			data = append(data, f.body...)
			return false, nil
		}
		return acknowledged(f)
	})
	if err != nil {
		return nil, 0, wrap(what, err)
	}
	return data, mode, nil
}

// OpenConsole starts a shell on console n, if there is none yet.
func (c *Client) OpenConsole(ctx context.Context, n int) error {
	if n < 0 || n > 255 {
		return errors.New("opening console " + strconv.Itoa(n) + ": no such console")
	}
	return wrap("opening a console", c.request(ctx, frame{kind: kindConsole, body: []byte{byte(n)}}, nil, acknowledged))
}

// Resize tells the programs on console n how large its window is.
func (c *Client) Resize(ctx context.Context, n int, cols, rows uint16) error {
	if n < 0 || n > 255 {
		return errors.New("resizing console " + strconv.Itoa(n) + ": no such console")
	}
	body := window{uint8(n), cols, rows}.append(nil)
	return wrap("resizing a console", c.request(ctx, frame{kind: kindResize, body: body}, nil, acknowledged))
}

// Shutdown asks guestd to end the guest in order. It returns when guestd has
// begun; the end is the end of the guest's process.
func (c *Client) Shutdown(ctx context.Context, reboot bool) error {
	return wrap("shutting the guest down", c.request(ctx, frame{kind: kindShutdown, body: appendBool(nil, reboot)}, nil, acknowledged))
}

// Ping waits for a sign of life from guestd.
func (c *Client) Ping(ctx context.Context) error {
	return wrap("asking guestd for a sign of life", c.request(ctx, frame{kind: kindPing}, nil, acknowledged))
}

func tooMuch(what string, have, limit int) error {
	return errors.New(what + " take " + strconv.Itoa(have) + " bytes, more than " + strconv.Itoa(limit))
}

// wrap is fmt.Errorf("%s: %w") without fmt, see Logger.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &doingError{doing, err}
}

type doingError struct {
	doing string
	err   error
}

func (e *doingError) Error() string { return e.doing + ": " + e.err.Error() }
func (e *doingError) Unwrap() error { return e.err }
