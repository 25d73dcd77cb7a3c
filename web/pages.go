package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

//go:embed templates
var templates embed.FS

// pages holds the parsed templates: one per page, each with the layout.
type pages struct {
	byName map[string]*template.Template
}

func parsePages() (*pages, error) {
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("listing templates: %w", err)
	}
	p := &pages{byName: make(map[string]*template.Template)}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		t, err := template.New("layout.html").Funcs(functions).ParseFS(templates, "templates/layout.html", "templates/parts.html", file)
		if err != nil {
			return nil, fmt.Errorf("parsing templates: %w", err)
		}
		p.byName[name] = t
	}
	return p, nil
}

var functions = template.FuncMap{
	"date":    func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
	"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"when":    func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") },
	"number":  number,
	"percent": func(share float64) string { return number(share*100) + " %" },
	"short":   func(digest string) string { return digest[:min(12, len(digest))] },
	"points":  func(st sqlite.Standing) string { return points(st) },
	"column":  func(id int64) string { return strconv.FormatInt(id, 10) },
	"late":    lateness,
	"field": func(name string, from fieldHolder, label, hint string) inputField {
		return inputField{Name: name, Value: from.Get(name), Label: label, Hint: hint, Error: from.Failed(name)}
	},
	"place": func(v view, href, label string) place {
		here := v.Path == href || href != "/" && strings.HasPrefix(v.Path, href+"/")
		return place{Href: href, Label: label, Here: here}
	},
	"plural": func(n int, one, many string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	},
}

// fieldHolder is a form's data.
type fieldHolder interface {
	Get(name string) string
	Failed(name string) string
}

// inputField is one field of a form: what it holds and what is wrong with it.
type inputField struct {
	Name, Value, Label, Hint, Error string
}

// lateness is a few words: "2 h late".
func lateness(d time.Duration) string {
	switch {
	case d <= 0:
		return "in time"
	case d < time.Hour:
		return fmt.Sprintf("%d min late", max(1, int(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h late", int(d.Hours()))
	}
	return fmt.Sprintf("%d days late", int(d.Hours())/24)
}

// place is a link in the bar.
type place struct {
	Href, Label string
	Here        bool
}

// view is what the layout knows; Data is the page's own.
type view struct {
	Page    string // the template's name
	Path    string // for the bar: where we are
	Title   string
	Static  string // prefix of static files, with a slash at its end
	User    labs.User
	Teaches bool
	Admin   bool
	Flash   string
	Error   string            // a form's error, shown above it
	Body    template.HTMLAttr // see data
	Data    any
}

// data writes data- attributes: name, value, name, value, …
func data(pairs ...string) template.HTMLAttr {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, ` data-%s="%s"`, pairs[i], template.HTMLEscapeString(pairs[i+1]))
	}
	return template.HTMLAttr(b.String())
}

// render answers with a page. A template that fails leaves nothing half-written.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, v view) error {
	t, ok := s.pages.byName[v.Page]
	if !ok {
		return fmt.Errorf("rendering page: no template %q", v.Page)
	}
	a := actorOf(r.Context())
	v.Path, v.User, v.Teaches, v.Admin = r.URL.Path, a.User, a.teaches(), a.admin()
	v.Static = "/static/" + s.cfg.StaticHash + "/"
	if a.known() && !a.script {
		v.Flash = s.sessions.PopString(r.Context(), sessionFlash)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return fmt.Errorf("rendering page %s: %w", v.Page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	retryAfter(w, status)
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the only error left is a client that has gone
	return nil
}

// failure is what the error page shows.
type failure struct {
	Heading, Message, Request string
}

func (s *Server) renderError(w http.ResponseWriter, r *http.Request, status int, message string) {
	f := failure{Message: message}
	switch status {
	case http.StatusNotFound:
		f.Heading = "There is nothing here"
	case http.StatusForbidden, http.StatusUnauthorized:
		f.Heading = "This is not open to you"
	case http.StatusTooManyRequests:
		f.Heading = "A little slower, please"
	case http.StatusMethodNotAllowed:
		f.Heading = "That does not work here"
	case http.StatusInternalServerError:
		f.Heading, f.Request = "Something went wrong", requestID(r.Context())
	default:
		f.Heading = "That did not work"
	}
	if err := s.render(w, r, status, view{Page: "error", Title: f.Heading, Data: f}); err != nil {
		s.log.Error("rendering the error page", "err", err)
		http.Error(w, message, status)
	}
}

// redirect sends a browser on after a form was taken.
func redirect(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
