package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// handler is an http.HandlerFunc that may fail before it has written anything.
type handler func(w http.ResponseWriter, r *http.Request) error

// handle makes an http.HandlerFunc of a handler: its error goes to fail.
func (s *Server) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// problem is the body of an API answer that is not a success, in the form of
// RFC 9457. "error" repeats the detail, as in a rack's own answers.
type problem struct {
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Error   string `json:"error"`
	Request string `json:"request,omitempty"` // to find it in the server's log

	Problems []labProblem `json:"problems,omitempty"` // of a lab that was sent
}

// Codes that only HTTP knows.
const (
	tooMany          labs.Code = "too_many"           // asks too often
	methodNotAllowed labs.Code = "method_not_allowed" // GET where POST is needed, and the like
	tooLate          labs.Code = "timeout"            // what was asked for did not end in time
	unavailable      labs.Code = "unavailable"        // not now; Message says what is missing
	badRequest       labs.Code = "bad_request"        // an address that makes no sense
)

// errTooMany is the error for who asks too often.
func errTooMany(what string) error { return labs.Errorf(tooMany, "%s", what) }

// statusOf is the one place where errors become status codes.
func statusOf(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	switch labs.CodeOf(err) {
	case labs.NotFound:
		return http.StatusNotFound
	case labs.Invalid:
		return http.StatusUnprocessableEntity
	case labs.Conflict:
		return http.StatusConflict
	case labs.Forbidden:
		return http.StatusForbidden
	case labs.Unauthenticated:
		return http.StatusUnauthorized
	case methodNotAllowed:
		return http.StatusMethodNotAllowed
	case tooMany:
		return http.StatusTooManyRequests
	case tooLate:
		return http.StatusGatewayTimeout
	case unreachable:
		return http.StatusBadGateway
	case badRequest:
		return http.StatusBadRequest
	case unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// shortage gives an error that is about something the server lacks a sentence,
// for the person who asked can do no more than tell whoever can.
func shortage(err error) error {
	if labs.CodeOf(err) != labs.Internal {
		return err
	}
	say := func(sentence string) error { return &labs.Error{Code: unavailable, Message: sentence, Cause: err} }
	if e, ok := errors.AsType[*rack.Explained](err); ok {
		return say(e.Sentence)
	}
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.Code == sqlite3.ErrFull {
		return say("The server's disk is full, so nothing can be saved. Please tell whoever runs it.")
	}
	return err
}

// fail answers a request with an error: as JSON below /api/, as a page
// elsewhere. What is not a labs.Error is logged and not shown.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to read it
	}
	err = shortage(err)
	status := statusOf(err)
	id := requestID(r.Context())
	message := labs.MessageOf(err)
	if status == http.StatusInternalServerError || status == http.StatusServiceUnavailable {
		s.log.ErrorContext(r.Context(), "request failed", "request", id, "method", r.Method, "route", route(r), "err", err)
	}
	switch status {
	case http.StatusInternalServerError:
		message = "Something went wrong on our side. Please try again in a moment."
	case http.StatusRequestEntityTooLarge:
		message = "That is more than this form takes."
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="patchbay"`)
		}
		p := problem{Title: http.StatusText(status), Status: status, Code: string(labs.CodeOf(err)), Error: message, Problems: problemsOf(err)}
		if status == http.StatusInternalServerError {
			p.Request = id
		}
		writeBody(w, "application/problem+json", status, p)
		return
	}
	if status == http.StatusUnauthorized && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		http.Redirect(w, r, "/login?next="+queryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	s.renderError(w, r, status, message)
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	writeBody(w, "application/json", status, v)
	return nil
}

func writeBody(w http.ResponseWriter, kind string, status int, v any) {
	w.Header().Set("Content-Type", kind)
	retryAfter(w, status)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the only error left is a client that has gone
}

// retryAfter says when to come back to who asks too often, or at a bad time.
func retryAfter(w http.ResponseWriter, status int) {
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "15") // seconds: a token and a bit
	}
}

// maxBody bounds the body of a request; a lab's exec with its stdin is the largest.
const maxBody = 1 << 20

// readJSON reads a request's body into v. The error has code Invalid.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return err
		}
		if bad, ok := errors.AsType[*time.ParseError](err); ok {
			return labs.Errorf(labs.Invalid, "%s is no time: write it like 2030-01-31T18:00:00Z.", bad.Value)
		}
		return labs.Errorf(labs.Invalid, "The request's body is not the JSON that was expected here: %s.", strings.TrimPrefix(err.Error(), "json: "))
	}
	if dec.More() {
		return labs.Errorf(labs.Invalid, "The request's body has more in it than one JSON object.")
	}
	return nil
}

// readForm parses a form of at most 64 KiB.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return err
		}
		return labs.Errorf(labs.Invalid, "The form could not be read. Please go back and send it again.")
	}
	return nil
}
