package web

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/coursemap"
	"github.com/patchbay/patchbay/labs/library"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// catalog is the labs that somebody may know of, and how far they are with them.
type catalog struct {
	*coursemap.Map
	all      *coursemap.Map // of the server
	infos    map[string]library.Info
	progress sqlite.Progress
	teaches  bool
}

// catalogOf finds the labs that a may know of: teachers all, others those of
// their courses and those that come with Patchbay, which are public. What an
// instructor sent may be next week's examination.
func (s *Server) catalogOf(ctx context.Context, a actor) (*catalog, error) {
	c := &catalog{teaches: a.teaches(), infos: map[string]library.Info{}}
	var err error
	if c.progress, err = s.store.ProgressOf(ctx, a.ID); err != nil {
		return nil, err
	}
	var known []*labs.Lab
	shelf := s.shelf()
	for _, l := range shelf {
		if s.cfg.Library != nil {
			if c.infos[l.Slug], err = s.cfg.Library.Info(l.Slug); err != nil {
				return nil, err
			}
		}
		if c.teaches || c.progress.Has[l.Slug] || c.progress.Assigned[l.Slug] != 0 || c.infos[l.Slug].Source == library.Builtin {
			known = append(known, l)
		}
	}
	c.Map, c.all = coursemap.New(known), coursemap.New(shelf)
	return c, nil
}

// entry is a lab of the catalog as somebody sees it.
type entry struct {
	*labs.Lab
	State    coursemap.State
	Word     string // for the state
	Passed   bool
	Open     string // where to open it; empty when they cannot
	Requires []required
	Leads    []*labs.Lab
	By       string // who sent it; empty for the server's own
	Found    bool
}

// required is a lab that another requires.
type required struct {
	Slug, Title string // no title: it is not on this server, or not for them
	Done        bool
}

// TopicTitle is the lab's topic for people.
func (e entry) TopicTitle() string { return coursemap.TopicTitle(e.Topic) }

// Facts are a few words.
func (e entry) Facts() string { return coursemap.Facts(e.Lab) }

// Text is what a search looks at.
func (e entry) Text() string { return coursemap.Text(e.Lab) }

func (c *catalog) done(slug string) bool { return c.progress.Passed[slug] || c.progress.Graded[slug] }

func (c *catalog) opens(slug string) string {
	switch {
	case c.teaches || c.progress.Has[slug]:
		return "/labs/" + slug
	case c.progress.Assigned[slug] != 0:
		return assignmentPath(c.progress.Assigned[slug])
	}
	return ""
}

// state says how far somebody is. What they cannot do themselves holds nothing up.
func (c *catalog) state(l *labs.Lab) (coursemap.State, string) {
	switch {
	case c.progress.Passed[l.Slug]:
		return coursemap.Done, "all passed"
	case c.progress.Graded[l.Slug]:
		return coursemap.Done, "graded"
	case c.progress.Started[l.Slug]:
		return coursemap.Started, "started"
	case c.opens(l.Slug) == "":
		return coursemap.Closed, ""
	case c.teaches:
		return "", ""
	}
	have, _ := c.Before(l)
	if slices.ContainsFunc(have, func(b *labs.Lab) bool { return c.opens(b.Slug) != "" && !c.done(b.Slug) }) {
		return "", ""
	}
	return coursemap.Next, "do next"
}

func (c *catalog) entry(l *labs.Lab, q coursemap.Query) entry {
	e := entry{Lab: l, Passed: c.progress.Passed[l.Slug], Open: c.opens(l.Slug), Leads: c.After(l.Slug), Found: q.Finds(l)}
	e.State, e.Word = c.state(l)
	if i := c.infos[l.Slug]; i.Source == library.Upload {
		e.By = i.By
	}
	for _, slug := range l.Requires {
		r := required{Slug: slug, Done: c.done(slug)}
		if before, ok := c.Lab(slug); ok {
			r.Title = before.Title
		}
		e.Requires = append(e.Requires, r)
	}
	return e
}

type catalogLane struct {
	Topic, Title string
	Entries      []entry
	Found        int
}

type catalogData struct {
	Query        coursemap.Query
	Lanes        []catalogLane
	Topics       []coursemap.Lane
	Difficulties []labs.Difficulty
	Map          template.HTML // empty when nothing requires anything
	Next         []entry       // what to do now, started ones first
	Found, All   int
	Done         int
	Teaches      bool
}

// maxNext is how many labs are proposed: more would be the list once again.
const maxNext = 4

func catalogQuery(r *http.Request) coursemap.Query {
	v := r.URL.Query()
	words := strings.Join(strings.Fields(v.Get("q")), " ")
	return coursemap.Query{Words: words[:min(len(words), 200)], Topic: v.Get("topic"), Difficulty: v.Get("difficulty")}
}

func catalogPath(slug string) string { return "/catalog/" + url.PathEscape(slug) }

func (s *Server) catalogPage(w http.ResponseWriter, r *http.Request) error {
	c, err := s.catalogOf(r.Context(), actorOf(r.Context()))
	if err != nil {
		return err
	}
	q := catalogQuery(r)
	d := catalogData{Query: q, Topics: c.Lanes(), All: len(c.Labs()), Teaches: c.teaches,
		Difficulties: []labs.Difficulty{labs.Beginner, labs.Intermediate, labs.Advanced}}
	entries := map[string]entry{}
	for _, lane := range d.Topics {
		cl := catalogLane{Topic: lane.Topic, Title: lane.Title()}
		for _, l := range lane.Labs {
			e := c.entry(l, q)
			entries[l.Slug] = e
			cl.Entries = append(cl.Entries, e)
			if e.Found {
				cl.Found++
			}
		}
		d.Found += cl.Found
		d.Lanes = append(d.Lanes, cl)
	}
	drawn := false
	for _, state := range []coursemap.State{coursemap.Started, coursemap.Next} {
		for _, l := range c.Labs() {
			if e := entries[l.Slug]; e.State == state && e.Open != "" && len(d.Next) < maxNext {
				d.Next = append(d.Next, e)
			}
		}
	}
	for _, e := range entries {
		drawn = drawn || len(e.Leads) > 0
		if e.State == coursemap.Done {
			d.Done++
		}
	}
	if drawn {
		d.Map = template.HTML(c.SVG(func(l *labs.Lab) string { return catalogPath(l.Slug) }, func(l *labs.Lab) coursemap.Look {
			e := entries[l.Slug]
			return coursemap.Look{State: e.State, Word: e.Word, Found: e.Found}
		}))
	}
	return s.render(w, r, http.StatusOK, view{Page: "catalog", Title: "Catalog", Data: d})
}

// catalogLab finds the lab of the path, when a may know of it.
func (s *Server) catalogLab(r *http.Request) (*catalog, *labs.Lab, error) {
	c, err := s.catalogOf(r.Context(), actorOf(r.Context()))
	if err != nil {
		return nil, nil, err
	}
	l, ok := c.Lab(chi.URLParam(r, "lab"))
	if !ok {
		return nil, nil, errNoLab
	}
	return c, l, nil
}

type catalogLabData struct {
	entry
	Nodes       int
	Courses     []courseChoice // that one teaches
	CanCopy     bool
	Name        string // proposed for a copy
	CopyError   string
	Origin      *library.Origin
	OriginTitle string // empty when the server no longer has it
	OriginNewer bool   // it has changed since
	Copied      bool   // one's own copy
}

// courseChoice is a course that a lab may be used in.
type courseChoice struct {
	labs.Course
	Has bool // it has the lab to practise
}

func (s *Server) catalogLabPage(w http.ResponseWriter, r *http.Request) error {
	return s.showCatalogLab(w, r, http.StatusOK, "", "")
}

func (s *Server) showCatalogLab(w http.ResponseWriter, r *http.Request, status int, name, copyError string) error {
	ctx := r.Context()
	c, l, err := s.catalogLab(r)
	if err != nil {
		return err
	}
	d := catalogLabData{entry: c.entry(l, coursemap.Query{}), Nodes: len(l.Topology.Nodes), Name: name, CopyError: copyError}
	if c.teaches {
		if err := s.forTeachers(ctx, &d, c, l); err != nil {
			return err
		}
	}
	return s.render(w, r, status, view{Page: "cataloglab", Title: l.Title, Data: d})
}

// forTeachers adds what an instructor can do with a lab.
func (s *Server) forTeachers(ctx context.Context, d *catalogLabData, c *catalog, l *labs.Lab) error {
	a := actorOf(ctx)
	taught, err := s.taught(ctx, a)
	if err != nil {
		return err
	}
	for _, course := range taught {
		has, err := s.courseHasLab(ctx, course.ID, l.Slug)
		if err != nil {
			return err
		}
		d.Courses = append(d.Courses, courseChoice{course, has})
	}
	if s.cfg.Library == nil {
		return nil
	}
	d.CanCopy = true
	if d.Name == "" {
		d.Name = freeName(c.all, l.Slug, a.Login)
	}
	info := c.infos[l.Slug]
	d.Copied = info.Mine(by(a))
	if d.Origin = info.Origin; d.Origin != nil {
		if from, ok := c.all.Lab(d.Origin.Slug); ok {
			d.OriginTitle, d.OriginNewer = from.Title, from.Digest != d.Origin.Digest
		}
	}
	return nil
}

// freeName proposes a name for a copy that is not in use.
func freeName(m *coursemap.Map, slug, login string) string {
	login = strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(login)), "-")
	name := slug + "-" + login
	if login == "" || len(name) > 60 {
		name = slug[:min(len(slug), 54)] + "-copy"
	}
	for i := 2; ; i++ {
		if _, taken := m.Lab(name); !taken || i > 99 {
			return name
		}
		name = strings.TrimRight(name, "0123456789-") + "-" + strconv.Itoa(i)
	}
}
