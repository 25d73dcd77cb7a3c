package web

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/library"
)

// shelf is all labs that new racks can be made of, in the order of lists.
func (s *Server) shelf() []*labs.Lab {
	if s.cfg.Library != nil {
		return s.cfg.Library.Labs()
	}
	return s.cfg.Labs
}

// lab is the newest version of a lab.
func (s *Server) lab(slug string) (*labs.Lab, bool) {
	if s.cfg.Library != nil {
		return s.cfg.Library.Lab(slug)
	}
	l, ok := s.bySlug[slug]
	return l, ok
}

// labOfRack is the version of its lab that a rack was started with, or the
// newest when that is not kept.
func (s *Server) labOfRack(rec labs.RackRecord) (*labs.Lab, error) {
	if s.cfg.Library != nil {
		l, err := s.cfg.Library.Version(rec.LabSlug, rec.LabDigest)
		if err == nil {
			return l, nil
		}
		if labs.CodeOf(err) != labs.NotFound {
			s.log.Error("loading the version of a rack", "rack", rec.ID, "err", err)
		}
	}
	if l, ok := s.lab(rec.LabSlug); ok {
		return l, nil
	}
	return nil, labs.Errorf(labs.NotFound, "This server no longer has the lab of that rack.")
}

// runningVersion is the version that a rack runs with, and newest when it
// does not run: a rack that runs stays on its version, and so does its guide.
func (s *Server) runningVersion(ctx context.Context, f labs.RackFor, newest *labs.Lab) (*labs.Lab, error) {
	rec, err := s.store.RackOf(ctx, f)
	if labs.CodeOf(err) == labs.NotFound || err == nil && rec.LabDigest == newest.Digest {
		return newest, nil
	}
	if err != nil {
		return nil, err
	}
	runs, err := s.racks.Runs(ctx, rec.ID)
	if err != nil || !runs {
		return newest, err
	}
	return s.labOfRack(rec)
}

// labOf is the version of its lab that an assignment's racks are made of: the
// newest, unless it stays with another.
func (s *Server) labOf(as *labs.Assignment) (*labs.Lab, error) {
	l, ok := s.lab(as.LabSlug)
	switch {
	case as.LabDigest == "" && ok, ok && l.Digest == as.LabDigest:
		return l, nil
	case as.LabDigest == "":
		return nil, errLabGone
	case s.cfg.Library == nil:
		return nil, errVersionGone
	}
	l, err := s.cfg.Library.Version(as.LabSlug, as.LabDigest)
	if labs.CodeOf(err) == labs.NotFound {
		err = errVersionGone
	}
	return l, err
}

var (
	errLabGone     = labs.Errorf(labs.NotFound, "This server no longer has the lab of this assignment. Please tell your instructor.")
	errVersionGone = labs.Errorf(labs.NotFound, "This server no longer has the version of the lab that this assignment stays with. Please tell your instructor.")
)

// removedLab is a lab that was removed while a's rack runs: that goes on.
func (s *Server) removedLab(ctx context.Context, a actor, slug string) (*labs.Lab, error) {
	rec, err := s.store.RackOf(ctx, labs.RackFor{UserID: a.ID, LabSlug: slug})
	if labs.CodeOf(err) == labs.NotFound {
		return nil, errNoLab
	}
	if err != nil {
		return nil, err
	}
	runs, err := s.racks.Runs(ctx, rec.ID)
	if err != nil {
		return nil, err
	}
	if !runs {
		return nil, errNoLab
	}
	if l, err := s.labOfRack(rec); err == nil {
		return l, nil
	}
	return nil, errNoLab
}

// by is who sends or removes a lab.
func by(a actor) library.By { return library.By{Login: a.Login, Admin: a.admin()} }

var errNoLibrary = labs.Errorf(labs.Conflict, "This server's labs are fixed: none can be added or removed.")

// sendWithin bounds the sending of an archive.
const sendWithin = 5 * time.Minute

// addLab takes a lab from an archive.
func (s *Server) addLab(ctx context.Context, name string, body io.Reader) (*labs.Lab, error) {
	if s.cfg.Library == nil {
		return nil, errNoLibrary
	}
	a := actorOf(ctx)
	if !s.starts.allow("lab " + a.Login) {
		return nil, errTooMany("You have sent many labs in a short time. Please wait a few seconds.")
	}
	l, err := s.cfg.Library.Add(ctx, name, body, by(a))
	if r, ok := errors.AsType[*library.Refused](err); ok {
		return nil, &labs.Error{Code: labs.Invalid, Message: r.Error(), Cause: err}
	}
	return l, err
}

// readArchive makes room for an archive: a form's other bytes are few.
func readArchive(w http.ResponseWriter, r *http.Request) {
	until := time.Now().Add(sendWithin)
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(until) // where it cannot be moved, the server's own holds
	_ = c.SetWriteDeadline(until.Add(time.Minute))
	r.Body = http.MaxBytesReader(w, r.Body, library.MaxArchive+64<<10)
}

// labProblem is one thing that is wrong with a lab.
type labProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Col     int    `json:"col,omitempty"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// problemsOf lists what is wrong with a lab that was sent.
func problemsOf(err error) []labProblem {
	if ps, ok := errors.AsType[labs.Problems](err); ok {
		return each(ps, func(p labs.Problem) labProblem { return labProblem(p) })
	}
	return nil
}

// labsData is the page of all labs.
type labsData struct {
	Labs     []labCard
	CanSend  bool
	Refused  []string          // sentences about the archive that was sent
	Problems labs.Problems     // of the lab in it
	Troubles []library.Trouble // of the server's folder
}

func (s *Server) allLabs(w http.ResponseWriter, r *http.Request) error {
	return s.showLabs(w, r, http.StatusOK, labsData{})
}

func (s *Server) showLabs(w http.ResponseWriter, r *http.Request, status int, d labsData) error {
	card, _, err := s.cards(r.Context(), actorOf(r.Context()))
	if err != nil {
		return err
	}
	for _, l := range s.shelf() {
		if lc, ok := card(l.Slug); ok {
			d.Labs = append(d.Labs, lc)
		}
	}
	if s.cfg.Library != nil {
		d.CanSend = true
		d.Troubles = s.cfg.Library.Troubles()
	}
	return s.render(w, r, status, view{Page: "labs", Title: "All labs", Data: d})
}

// sendLab takes the form's archive.
func (s *Server) sendLab(w http.ResponseWriter, r *http.Request) error {
	readArchive(w, r)
	parts, err := r.MultipartReader()
	if err != nil {
		return labs.Errorf(labs.Invalid, "The form could not be read. Please go back and send it again.")
	}
	for {
		part, err := parts.NextPart()
		if err != nil {
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return err
			}
			return s.showLabs(w, r, http.StatusUnprocessableEntity, labsData{Refused: []string{"Choose an archive first."}})
		}
		if part.FormName() != "archive" || part.FileName() == "" {
			continue
		}
		l, err := s.addLab(r.Context(), part.FileName(), part)
		if ps, ok := errors.AsType[labs.Problems](err); ok {
			return s.showLabs(w, r, http.StatusUnprocessableEntity, labsData{Problems: ps})
		}
		if labs.CodeOf(err) == labs.Invalid {
			return s.showLabs(w, r, http.StatusUnprocessableEntity, labsData{Refused: strings.Split(labs.MessageOf(err), "\n")})
		}
		if err != nil {
			return err
		}
		s.flash(r.Context(), "The lab “"+l.Title+"” is here. New racks get this version; racks that run stay on theirs.")
		return redirect(w, r, "/labs/"+l.Slug+"/versions")
	}
}

type versionsData struct {
	library.Info
	Title     string
	MayRemove bool
}

func (s *Server) findInfo(r *http.Request) (library.Info, error) {
	if s.cfg.Library == nil {
		return library.Info{}, errNoLibrary
	}
	return s.cfg.Library.Info(chi.URLParam(r, "lab"))
}

func (s *Server) labVersions(w http.ResponseWriter, r *http.Request) error {
	info, err := s.findInfo(r)
	if err != nil {
		return err
	}
	a := actorOf(r.Context())
	d := versionsData{Info: info, Title: info.Slug, MayRemove: info.Source == library.Upload && !info.Hidden && (a.admin() || info.By == a.Login)}
	if l, ok := s.lab(info.Slug); ok {
		d.Title = l.Title
	}
	return s.render(w, r, http.StatusOK, view{Page: "versions", Title: d.Title, Data: d})
}

// labArchive answers with a version as a .zip file.
func (s *Server) labArchive(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Library == nil {
		return errNoLibrary
	}
	slug, digest := chi.URLParam(r, "lab"), chi.URLParam(r, "digest")
	data, err := s.cfg.Library.Archive(slug, digest)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": slug + "-" + digest[:8] + ".zip"}))
	_, _ = w.Write(data) // the only error left is a client that has gone
	return nil
}

func (s *Server) removeLab(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Library == nil {
		return errNoLibrary
	}
	if err := s.cfg.Library.Remove(chi.URLParam(r, "lab"), by(actorOf(r.Context()))); err != nil {
		return err
	}
	s.flash(r.Context(), "The lab is removed. Racks that run go on; sending it again brings it back.")
	return redirect(w, r, "/labs")
}

type versionJSON struct {
	Digest string    `json:"digest"`
	Title  string    `json:"title"`
	At     time.Time `json:"at"`
	By     string    `json:"by,omitempty"`
	Source string    `json:"source"`
}

func (s *Server) apiLabVersions(w http.ResponseWriter, r *http.Request) error {
	info, err := s.findInfo(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, each(info.Versions, func(v library.Version) versionJSON {
		return versionJSON{v.Digest, v.Title, v.At, v.By, string(v.Source)}
	}))
}

// apiSendLab takes an archive as the request's body.
func (s *Server) apiSendLab(w http.ResponseWriter, r *http.Request) error {
	readArchive(w, r)
	l, err := s.addLab(r.Context(), r.URL.Query().Get("name"), r.Body)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, toLabJSON(l))
}

func (s *Server) apiRemoveLab(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Library == nil {
		return errNoLibrary
	}
	if err := s.cfg.Library.Remove(chi.URLParam(r, "lab"), by(actorOf(r.Context()))); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
