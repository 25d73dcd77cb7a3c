package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// maxCaptures is how many captures one person may have open: each is read from
// its rack by a process of its own and may last for hours.
const maxCaptures = 8

// apiCapture sends frames of a rack as a pcapng file: what the rack remembers,
// or with ?follow=1 what it carries from now on as well.
func (s *Server) apiCapture(w http.ResponseWriter, r *http.Request) error {
	return s.sendRecording(w, r, recording{
		kind: "application/x-pcapng", open: s.racks.Capture,
		name: func(rec labs.RackRecord, q *rack.CaptureQuery) string { return captureName(rec.LabSlug, q, time.Now()) },
	})
}

// apiFrames says of each frame of a rack in one line what it is.
func (s *Server) apiFrames(w http.ResponseWriter, r *http.Request) error {
	kind := "application/json"
	if v := r.URL.Query().Get("follow"); v == "1" || v == "true" {
		kind = "application/x-ndjson"
	}
	return s.sendRecording(w, r, recording{kind: kind, open: s.racks.Frames})
}

// recording is what is sent of a rack's frames, and how.
type recording struct {
	kind string // of content
	open func(ctx context.Context, id string, q *rack.CaptureQuery) (io.ReadCloser, error)
	name func(labs.RackRecord, *rack.CaptureQuery) string // of the file; nil when it is none
}

// sendRecording passes a rack's frames on to who may see the rack, until they
// end, the person goes, may no longer see it, or the server goes away.
func (s *Server) sendRecording(w http.ResponseWriter, r *http.Request, what recording) error {
	a := actorOf(r.Context())
	rec, role, err := s.findRack(r.Context(), a, chi.URLParam(r, "rack"))
	if err != nil {
		return err
	}
	q, err := rack.ParseCaptureQuery(r.URL.Query(), time.Now())
	if err != nil {
		return captureError(err)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	sock := &socket{who: a, rack: rec.ID, kind: aCapture, end: func(int, string) { cancel() }}
	if code, reason := s.live.add(sock); code != 0 {
		return errTooMany(reason)
	}
	defer s.live.remove(sock)

	body, err := what.open(ctx, rec.ID, q)
	if err != nil {
		return captureError(err)
	}
	defer body.Close()
	defer context.AfterFunc(ctx, func() { body.Close() })() // whoever waits in Read is let go
	done := make(chan struct{})
	defer func() { cancel(); <-done }()
	go func() {
		defer close(done)
		s.recheck(ctx, cancel, a, rec.ID, role)
	}()

	rc := http.NewResponseController(w)
	// The server's own read timeout would take a person who sends nothing for one
	// who has gone.
	_ = rc.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", what.kind)
	if what.name != nil {
		w.Header().Set("Content-Disposition", `attachment; filename="`+what.name(rec, q)+`"`)
	}
	w.WriteHeader(http.StatusOK)
	if err := passOn(w, rc, body); err != nil && ctx.Err() == nil {
		s.log.InfoContext(ctx, "a capture was cut off", "rack", rec.ID, "err", err)
	}
	if ctx.Err() != nil && r.Context().Err() == nil {
		panic(http.ErrAbortHandler) // it was ended: what came is not to look whole
	}
	return nil
}

// passOn copies from a rack to a browser and lets nothing lie. Who does not
// read for writeWithin is let go.
func passOn(w io.Writer, rc *http.ResponseController, from io.Reader) error {
	if err := rc.Flush(); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, readErr := from.Read(buf)
		if n > 0 {
			_ = rc.SetWriteDeadline(time.Now().Add(writeWithin))
			if _, err := w.Write(buf[:n]); err != nil {
				return fmt.Errorf("sending frames: %w", err)
			}
			if err := rc.Flush(); err != nil {
				return fmt.Errorf("sending frames: %w", err)
			}
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return fmt.Errorf("reading frames: %w", readErr)
		}
	}
}

// recheck calls stop once a may no longer see the rack; it returns then, or
// when ctx ends.
func (s *Server) recheck(ctx context.Context, stop context.CancelFunc, a actor, id string, role rack.Role) {
	tick := time.NewTicker(s.cfg.Recheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch labs.CodeOf(s.mayStill(ctx, a, id, role)) {
		case "", labs.Internal: // a database that is busy ends nobody's capture
		default:
			stop()
			return
		}
	}
}

// mayStill says whether a is still logged in and may see the rack as before.
func (s *Server) mayStill(ctx context.Context, a actor, id string, role rack.Role) error {
	b, err := s.again(ctx, a)
	if err != nil {
		return err
	}
	_, now, err := s.findRack(ctx, b, id)
	if err == nil && now != role {
		err = labs.Errorf(labs.NotFound, "You may no longer see this lab.")
	}
	return err
}

// captureError gives a query that makes no sense the status 400, where forms
// and bodies get 422.
func captureError(err error) error {
	if e, ok := errors.AsType[*rack.Explained](err); ok && errors.Is(err, rack.ErrBadOp) {
		return labs.Errorf(badRequest, "%s", sentence(e.Sentence))
	}
	if r, ok := asRefusal(err); ok && r.Status == http.StatusBadRequest {
		return labs.Errorf(badRequest, "%s", sentence(r.Problem.Error))
	}
	return notRunning(err)
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// captureName is LAB-LINK-TIME.pcapng.
func captureName(lab string, q *rack.CaptureQuery, now time.Time) string {
	what := "all"
	switch names := append(append([]string{}, q.Links...), q.Segments...); {
	case len(names) == 1:
		what = names[0]
	case len(names) > 1:
		what = fmt.Sprintf("%d-cables", len(names))
	}
	what = strings.Trim(notInName.ReplaceAllString(what, "-"), "-.")
	return fmt.Sprintf("%s-%s-%s.pcapng", lab, what[:min(len(what), 60)], now.UTC().Format("20060102T150405Z"))
}
