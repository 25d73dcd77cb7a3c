package web

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
)

var errNoEvidence = labs.Errorf(labs.NotFound, "There is no such evidence.")

// evidence gives a piece of what a verdict was made from to staff, as a file:
// it comes from a student's machine, so no browser is to make anything of it.
func (s *Server) evidence(w http.ResponseWriter, r *http.Request) error {
	sub, _, err := s.taughtSubmission(r)
	if err != nil {
		return err
	}
	live, fresh, err := s.store.Reports(r.Context(), sub.ID)
	if err != nil {
		return err
	}
	report := map[grade.Boot]*grade.Report{grade.Live: live, grade.Fresh: fresh}[grade.Boot(chi.URLParam(r, "boot"))]
	n, bad := strconv.Atoi(chi.URLParam(r, "n"))
	if report == nil || bad != nil {
		return errNoEvidence
	}
	for _, res := range report.Results {
		if res.Check != chi.URLParam(r, "check") || n < 0 || n >= len(res.Evidence) {
			continue
		}
		e := res.Evidence[n]
		kind := "application/octet-stream"
		if isText(e.Type) {
			kind = "text/plain; charset=utf-8"
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		download(w, kind, fmt.Sprintf("submission-%d-%s-%s-%d%s", sub.ID, report.Boot, res.Check, n+1, extension(&e)))
		_, _ = w.Write(e.Data) // the only error left is a client that has gone
		return nil
	}
	return errNoEvidence
}

var fileEnding = regexp.MustCompile(`\.[a-z0-9]{1,8}$`)

// extension is what the name of the file ends in.
func extension(e *grade.Evidence) string {
	switch {
	case strings.Contains(e.Type, "pcap"):
		return ".pcapng"
	case e.Type == "application/json":
		return ".json"
	case isText(e.Type):
		return ".txt"
	}
	return fileEnding.FindString(e.Name)
}
