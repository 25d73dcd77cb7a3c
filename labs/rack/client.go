package rack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gorilla/websocket"
)

// Client speaks to one rack. Safe for concurrent use; Close it.
type Client struct {
	dir  string
	http http.Client
}

// Dial returns a client of the rack in dir, after making sure that it answers.
func Dial(ctx context.Context, dir string) (*Client, error) {
	c := &Client{dir: dir, http: http.Client{Transport: &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, dir) },
		MaxIdleConns:    4,
		MaxConnsPerHost: 64,
	}}}
	if _, err := c.State(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close lets go of the connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// State asks for the rack's state.
func (c *Client) State(ctx context.Context) (*State, error) {
	var s State
	if err := c.call(ctx, http.MethodGet, "/v1/state", nil, &s); err != nil {
		return nil, fmt.Errorf("asking for the rack's state: %w", err)
	}
	return &s, nil
}

// Do carries out an operation and waits until it is done.
func (c *Client) Do(ctx context.Context, op Op) error {
	return c.call(ctx, http.MethodPost, "/v1/do", op, nil)
}

// Exec runs a program in a node. The error is about running it; how it fared
// itself is in the result.
func (c *Client) Exec(ctx context.Context, node string, r ExecRequest) (*ExecResult, error) {
	var res ExecResult
	if err := c.call(ctx, http.MethodPost, "/v1/nodes/"+url.PathEscape(node)+"/exec", r, &res); err != nil {
		return nil, err
	}
	return &res, nil
}

// Put writes a file in a node.
func (c *Client) Put(ctx context.Context, node, path string, mode uint32, content io.Reader) error {
	q := url.Values{"path": {path}, "mode": {strconv.FormatUint(uint64(mode), 8)}}
	resp, err := c.send(ctx, http.MethodPut, "/v1/nodes/"+url.PathEscape(node)+"/file?"+q.Encode(), content)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Get reads a file of a node; the caller closes it.
func (c *Client) Get(ctx context.Context, node, path string) (io.ReadCloser, error) {
	q := url.Values{"path": {path}}
	resp, err := c.send(ctx, http.MethodGet, "/v1/nodes/"+url.PathEscape(node)+"/file?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Freeze keeps the owner's keys and operations out until Thaw. The reason is a
// sentence for the owner.
func (c *Client) Freeze(ctx context.Context, reason string) error {
	return c.call(ctx, http.MethodPost, "/v1/freeze", FreezeRequest{Reason: reason}, nil)
}

// Thaw undoes Freeze.
func (c *Client) Thaw(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/thaw", nil, nil)
}

// Snapshot copies the disks of all nodes, as they are at one time, to a new
// folder, see SnapshotRequest. The machines stand still meanwhile.
func (c *Client) Snapshot(ctx context.Context, dir string) error {
	return c.call(ctx, http.MethodPost, "/v1/snapshot", SnapshotRequest{Dir: dir}, nil)
}

// Probe has a machine of the rack's own look at a segment, see ProbeRequest.
func (c *Client) Probe(ctx context.Context, p *ProbeRequest) (*ProbeResult, error) {
	var res ProbeResult
	if err := c.call(ctx, http.MethodPost, "/v1/probe", p, &res); err != nil {
		return nil, err
	}
	return &res, nil
}

// Capture gives what the query chooses as a pcapng file; the caller closes it.
// With q.Follow it goes on until ctx ends or the rack does.
func (c *Client) Capture(ctx context.Context, q *CaptureQuery) (io.ReadCloser, error) {
	return c.record(ctx, "/v1/capture", q)
}

// FrameLines gives what the query chooses as JSON: an array of Frames, or, with
// q.Follow, one Frame a line. The caller closes it.
func (c *Client) FrameLines(ctx context.Context, q *CaptureQuery) (io.ReadCloser, error) {
	return c.record(ctx, "/v1/frames", q)
}

// Frames calls f with every frame that the query chooses, until f returns an
// error, which it then returns.
func (c *Client) Frames(ctx context.Context, q *CaptureQuery, f func(*Frame) error) error {
	body, err := c.FrameLines(ctx, q)
	if err != nil {
		return err
	}
	defer body.Close()
	d := json.NewDecoder(body)
	if !q.Follow {
		if _, err := d.Token(); err != nil { // [
			return fmt.Errorf("reading frames: %w", err)
		}
	}
	for d.More() {
		var frame Frame
		if err := d.Decode(&frame); err != nil {
			return fmt.Errorf("reading frames: %w", err)
		}
		if err := f(&frame); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) record(ctx context.Context, path string, q *CaptureQuery) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, path+"?"+q.Values().Encode(), nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.ask(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("reading the rack's answer: %w", err)
	}
	return nil
}

// ask sends something as JSON, nothing if it is nil.
func (c *Client) ask(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("marshalling a request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	return c.send(ctx, method, path, body)
}

// send makes a request; an answer that is not a success becomes a *Refusal.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://rack"+path, body)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var ue *url.Error // its URL says nothing to anybody
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// Refusal is a rack's answer that is not a success.
type Refusal struct {
	Status int // of HTTP
	Problem
}

func (r *Refusal) Error() string { return r.Problem.Error }

func refusal(resp *http.Response) *Refusal {
	r := &Refusal{Status: resp.StatusCode}
	err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&r.Problem)
	if err != nil || r.Problem.Error == "" {
		r.Problem.Error = "the rack answered " + resp.Status
	}
	return r
}

// DialStream opens the websocket of the rack in dir. The session is the
// client's own name for itself, 16 to 64 characters, see stream.go. The caller
// closes the connection.
func DialStream(ctx context.Context, dir, session string, role Role) (*websocket.Conn, error) {
	d := websocket.Dialer{
		NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, dir) },
		ReadBufferSize: maxChunk + 64, WriteBufferSize: 4 << 10,
	}
	ws, resp, err := d.DialContext(ctx, "ws://rack/v1/stream?session="+url.QueryEscape(session),
		http.Header{RoleHeader: {string(role)}})
	if resp != nil && err != nil && resp.Body != nil {
		defer resp.Body.Close()
		if resp.StatusCode >= 400 {
			return nil, refusal(resp)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the rack's stream: %w", err)
	}
	return ws, nil
}
