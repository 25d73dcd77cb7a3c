package labs

import (
	"errors"
	"fmt"
)

// Code is the kind of an Error: what a caller can do about it. A front end
// maps each code to one of its own, such as an HTTP status.
type Code string

// The codes.
const (
	NotFound        Code = "not_found"       // no such thing, or none that this person may know of
	Invalid         Code = "invalid"         // the request makes no sense; Message says why
	Conflict        Code = "conflict"        // it is there already, or has changed meanwhile
	Forbidden       Code = "forbidden"       // known person, not allowed
	Unauthenticated Code = "unauthenticated" // unknown person
	Internal        Code = "internal"        // ours; never shown in words
)

// Error is an error whose Message is a sentence that may be shown to whoever
// asked. Cause, when there is one, is for the log alone.
type Error struct {
	Code    Code
	Message string
	Cause   error
}

// Errorf makes an Error without a cause.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// CodeOf is the code of the first Error in err's chain: Invalid for Problems,
// Internal for any other error and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if _, ok := errors.AsType[Problems](err); ok {
		return Invalid
	}
	return Internal
}

// MessageOf is what may be shown of err to whoever asked: the Message of the
// first Error in its chain, Problems in full, or "Internal error.".
func MessageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Code != Internal {
		return e.Message
	}
	if p, ok := errors.AsType[Problems](err); ok {
		return p.Error()
	}
	return "Internal error."
}
