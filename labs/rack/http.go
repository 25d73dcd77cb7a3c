package rack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/websocket"
)

const (
	maxBody     = 4 << 20  // bytes of a JSON request; stdin of an exec is the bulk of it
	maxFile     = 16 << 20 // bytes of a file put into a node
	execTimeout = 10 * time.Second
	maxTimeout  = 10 * time.Minute
	fileTimeout = time.Minute
)

// routes is the rack's HTTP API; api.go describes it.
func (r *Rack) routes() http.Handler {
	m := chi.NewRouter()
	m.Get("/v1/state", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, r.State()) })
	m.Post("/v1/do", handler(r.handleDo))
	m.Post("/v1/nodes/{node}/exec", handler(r.handleExec))
	m.Put("/v1/nodes/{node}/file", handler(r.handlePut))
	m.Get("/v1/nodes/{node}/file", handler(r.handleGet))
	m.Get("/v1/nodes/{node}/tcp", handler(r.handleTCP))
	m.Post("/v1/probe", handler(r.handleProbe))
	m.Post("/v1/freeze", handler(r.handleFreeze))
	m.Post("/v1/thaw", handler(r.handleThaw))
	m.Post("/v1/snapshot", handler(r.handleSnapshot))
	m.Post("/v1/check", handler(r.handleCheck))
	m.Get("/v1/capture", handler(r.handleCapture))
	m.Get("/v1/frames", handler(r.handleFrames))
	m.Get("/v1/stream", handler(r.handleStream))
	m.NotFound(func(w http.ResponseWriter, q *http.Request) {
		answer(w, http.StatusNotFound, Problem{Error: q.URL.Path + " is no part of a rack's API"})
	})
	return m
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone needs no answer
}

// handler turns an error into a Problem.
func handler(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		err := f(w, q)
		if err == nil {
			return
		}
		status := http.StatusInternalServerError
		var tooBig *http.MaxBytesError
		switch {
		case errors.Is(err, ErrUnknown):
			status = http.StatusNotFound
		case errors.Is(err, ErrBadOp):
			status = http.StatusBadRequest
		case errors.As(err, &tooBig):
			status = http.StatusRequestEntityTooLarge
		case errors.Is(err, errBusy):
			status = http.StatusTooManyRequests
		case errors.Is(err, ErrNotRunning), errors.Is(err, errInterrupted), errors.Is(err, errEnding):
			status = http.StatusConflict
		case errors.Is(err, context.DeadlineExceeded):
			status = http.StatusGatewayTimeout
		}
		var ex *Explained
		if errors.As(err, &ex) && status == http.StatusInternalServerError {
			status = http.StatusConflict // the node's fault, not the rack's
		}
		answer(w, status, Problem{Error: sentence(err)})
	}
}

func decode(w http.ResponseWriter, q *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, q.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("reading the request: %w: %w", ErrBadOp, err)
	}
	return nil
}

func (r *Rack) handleDo(w http.ResponseWriter, q *http.Request) error {
	var op Op
	if err := decode(w, q, &op); err != nil {
		return err
	}
	if err := r.Do(op); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// machine finds the running machine that a request is about.
func (r *Rack) machine(q *http.Request) (Machine, error) {
	n, err := r.node(chi.URLParam(q, "node"))
	if err != nil {
		return nil, err
	}
	return n.running()
}

func (r *Rack) handleExec(w http.ResponseWriter, q *http.Request) error {
	var x ExecRequest
	if err := decode(w, q, &x); err != nil {
		return err
	}
	if len(x.Args) == 0 || x.Args[0] == "" {
		return fmt.Errorf("running nothing: %w: args is empty", ErrBadOp)
	}
	if x.Timeout == 0 {
		x.Timeout = execTimeout
	}
	if x.Timeout < 0 || x.Timeout > maxTimeout {
		return fmt.Errorf("a timeout of %v: %w; up to %v is", x.Timeout, ErrBadOp, maxTimeout)
	}
	if err := r.icy(); err != nil {
		return err
	}
	m, err := r.machine(q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(q.Context(), x.Timeout)
	defer cancel()
	res, err := m.Exec(ctx, &x)
	if err != nil && ctx.Err() != nil {
		err = &Explained{Sentence: fmt.Sprintf("%s did not end within %v.", x.Args[0], x.Timeout), Err: err}
	}
	if err != nil {
		return fmt.Errorf("running %s: %w", x.Args[0], err)
	}
	answer(w, http.StatusOK, res)
	return nil
}

// guestPath is the path of a file request, made plain.
func guestPath(q *http.Request) (string, error) {
	p := q.URL.Query().Get("path")
	if !path.IsAbs(p) || len(p) > 4096 || strings.Contains(p, "\x00") {
		return "", fmt.Errorf("path %q: %w; it has to be absolute", p, ErrBadOp)
	}
	return path.Clean(p), nil
}

func (r *Rack) handlePut(w http.ResponseWriter, q *http.Request) error {
	p, err := guestPath(q)
	if err != nil {
		return err
	}
	mode := uint64(0o644)
	if s := q.URL.Query().Get("mode"); s != "" {
		if mode, err = strconv.ParseUint(s, 8, 12); err != nil {
			return fmt.Errorf("mode %q: %w; write it in octal, such as 0644", s, ErrBadOp)
		}
	}
	if err := r.icy(); err != nil {
		return err
	}
	m, err := r.machine(q)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxFile))
	if err != nil {
		return fmt.Errorf("writing %s: %w", p, err)
	}
	ctx, cancel := context.WithTimeout(q.Context(), fileTimeout)
	defer cancel()
	if err := m.PutFile(ctx, p, uint32(mode), data); err != nil {
		return fmt.Errorf("writing %s: %w", p, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (r *Rack) handleGet(w http.ResponseWriter, q *http.Request) error {
	p, err := guestPath(q)
	if err != nil {
		return err
	}
	m, err := r.machine(q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(q.Context(), fileTimeout)
	defer cancel()
	data, err := m.GetFile(ctx, p)
	if err != nil {
		return fmt.Errorf("reading %s: %w", p, err)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(data) // a client that has gone needs no answer
	return nil
}

// Whoever reaches the socket may use it, so the origin says nothing here; the
// web server, which passes browsers on, checks it.
var upgrader = websocket.Upgrader{
	ReadBufferSize: 4 << 10, WriteBufferSize: maxChunk + 64,
	CheckOrigin: func(*http.Request) bool { return true },
}

func (r *Rack) handleStream(w http.ResponseWriter, q *http.Request) error {
	session := q.URL.Query().Get("session")
	if !sessionPattern.MatchString(session) {
		return fmt.Errorf("session %q: %w; choose 16 to 64 letters, digits, - or _", session, ErrBadOp)
	}
	role := Role(q.Header.Get(RoleHeader))
	if role != Owner && role != Viewer {
		return fmt.Errorf("role %q: %w; the header %s is owner or viewer", role, ErrBadOp, RoleHeader)
	}
	ws, err := upgrader.Upgrade(w, q, nil)
	if err != nil {
		return nil // Upgrade has answered
	}
	r.accept(ws, session, role == Viewer)
	return nil
}

// serve starts the nodes and answers on ln until ctx ends or the rack does.
func (r *Rack) serve(ctx context.Context, ln net.Listener, ready func()) error {
	srv := &http.Server{Handler: r.routes(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	var wg sync.WaitGroup
	wg.Go(func() { r.sample(r.ending.Done()) })
	for _, n := range r.nodes {
		wg.Go(n.run)
	}
	wg.Go(func() {
		if err := r.all("start"); err != nil {
			r.log.Warn("starting", "err", err)
		}
		r.settle()
	})
	if ready != nil {
		ready()
	}
	r.log.Info("rack serves", "nodes", len(r.nodes), "lab", r.spec.LabSlug)

	var err error
	select {
	case <-ctx.Done():
	case <-r.ending.Done():
	case err = <-served:
		served <- err
	}
	r.end()
	wg.Wait()
	r.closeConns()
	// Whoever asked for the end gets the answer.
	last, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if srv.Shutdown(last) != nil {
		srv.Close()
	}
	if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the rack's API: %w", err)
	}
	r.log.Info("rack has ended")
	return nil
}
