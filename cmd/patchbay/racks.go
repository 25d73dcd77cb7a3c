package main

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/gorilla/websocket"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/labs/rack/leak"
	"github.com/patchbay/patchbay/labs/spawn"
)

// localRacks is web.Racks on this machine's processes.
type localRacks struct {
	*spawn.Local
}

func (l localRacks) Start(ctx context.Context, spec rack.Spec) error {
	_, err := l.Local.Start(ctx, spec)
	return err
}

func (l localRacks) State(ctx context.Context, id string) (st *rack.State, err error) {
	err = l.with(ctx, id, func(c *rack.Client) error {
		st, err = c.State(ctx)
		return err
	})
	return st, err
}

func (l localRacks) Do(ctx context.Context, id string, op rack.Op) error {
	if op.Do == "end" {
		err := l.Stop(ctx, id) // kills what does not end in time
		if errors.Is(err, spawn.ErrNotFound) {
			return errEnded
		}
		return err
	}
	return l.with(ctx, id, func(c *rack.Client) error { return c.Do(ctx, op) })
}

func (l localRacks) Exec(ctx context.Context, id, node string, req rack.ExecRequest) (res *rack.ExecResult, err error) {
	err = l.with(ctx, id, func(c *rack.Client) error {
		res, err = c.Exec(ctx, node, req)
		return err
	})
	return res, err
}

func (l localRacks) Capture(ctx context.Context, id string, q *rack.CaptureQuery) (body io.ReadCloser, err error) {
	err = l.with(ctx, id, func(c *rack.Client) error {
		body, err = c.Capture(ctx, q)
		return err
	})
	return body, err
}

func (l localRacks) Frames(ctx context.Context, id string, q *rack.CaptureQuery) (body io.ReadCloser, err error) {
	err = l.with(ctx, id, func(c *rack.Client) error {
		body, err = c.FrameLines(ctx, q)
		return err
	})
	return body, err
}

func (l localRacks) Watch(ctx context.Context, id string, all []leak.Watched) error {
	return l.with(ctx, id, func(c *rack.Client) error { return c.Watch(ctx, all) })
}

func (l localRacks) Leaks(_ context.Context, id string) ([]leak.Sighting, error) {
	return rack.ReadLeaks(l.Dir(id))
}

func (l localRacks) Dial(ctx context.Context, id, session string, role rack.Role) (*websocket.Conn, error) {
	if err := l.mustRun(ctx, id); err != nil {
		return nil, err
	}
	ws, err := rack.DialStream(ctx, l.Dir(id), session, role)
	return ws, ended(err)
}

func (l localRacks) Connect(ctx context.Context, id, node string, port int) (net.Conn, error) {
	if err := l.mustRun(ctx, id); err != nil {
		return nil, err
	}
	conn, err := rack.DialTCP(ctx, l.Dir(id), node, port)
	if err != nil {
		return nil, ended(err)
	}
	return conn, nil
}

func (l localRacks) with(ctx context.Context, id string, f func(*rack.Client) error) error {
	if err := l.mustRun(ctx, id); err != nil {
		return err
	}
	c, err := rack.Dial(ctx, l.Dir(id))
	if err != nil {
		return ended(err)
	}
	defer c.Close()
	return ended(f(c))
}

var errEnded = labs.Errorf(labs.NotFound, "The rack does not run.")

func (l localRacks) mustRun(ctx context.Context, id string) error {
	runs, err := l.Runs(ctx, id)
	if err == nil && !runs {
		err = errEnded
	}
	return err
}

// ended turns the error of a socket that nobody serves any more into NotFound.
func ended(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
		return errEnded
	}
	return err
}
