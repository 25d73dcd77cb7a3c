package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
)

// fieldErrors are sentences by the names of fields.
type fieldErrors map[string]string

// take notes an error that is about a field, and gives any other back.
func (f fieldErrors) take(err error) error {
	if e, ok := errors.AsType[*labs.FieldError](err); ok {
		f[e.Field] = labs.MessageOf(err)
		return nil
	}
	return err
}

// form reads fields; what is wrong with one stands in Errors.
type form struct {
	url.Values
	errors fieldErrors
}

func readFields(w http.ResponseWriter, r *http.Request) (form, error) {
	err := readForm(w, r)
	return form{r.PostForm, fieldErrors{}}, err
}

// timeLayout is that of <input type="datetime-local">; the page's script turns
// what it holds into UTC, and without script people type UTC.
const timeLayout = "2006-01-02T15:04"

func (f form) time(name string) time.Time {
	text := strings.TrimSuffix(strings.TrimSpace(f.Get(name)), "Z")
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{timeLayout, timeLayout + ":05"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 2000 && t.Year() < 10000 {
			return t
		}
	}
	f.errors[name] = "This is no date and time. Write it as 2030-01-31T18:00."
	return time.Time{}
}

func (f form) int(name string) int {
	text := strings.TrimSpace(f.Get(name))
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		f.errors[name] = "This is no whole number."
	}
	return n
}

func (f form) number(name string) float64 {
	text := strings.Replace(strings.TrimSpace(f.Get(name)), ",", ".", 1)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		f.errors[name] = "This is no number."
	}
	return n
}

// number writes at most two decimals, and none that are zero.
func number(f float64) string {
	text := strconv.FormatFloat(f, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func timeField(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// settingsData is the form that makes or changes an assignment.
type settingsData struct {
	Course labs.Course
	Labs   []*labs.Lab
	ID     int64 // 0: a new one
	Values url.Values
	Errors fieldErrors
	Teams  bool
}

// Get is what a field holds.
func (d settingsData) Get(name string) string { return d.Values.Get(name) }

// Failed is what is wrong with a field; empty when nothing is.
func (d settingsData) Failed(name string) string { return d.Errors[name] }

func settingsOf(a *labs.Assignment) url.Values {
	yes := func(b bool) string {
		if b {
			return "true"
		}
		return ""
	}
	none := func(n float64) string {
		if n == 0 {
			return ""
		}
		return number(n)
	}
	return url.Values{
		"title": {a.Title}, "lab": {a.LabSlug}, "pinned": {yes(a.LabDigest != "")},
		"opens": {timeField(a.OpensAt)}, "due": {timeField(a.DueAt)}, "closes": {timeField(a.ClosesAt)},
		"late_percent": {none(a.Late.Percent)}, "late_floor": {none(a.Late.Floor)},
		"attempts": {none(float64(a.Attempts))}, "counts": {string(a.Counts)}, "team_size": {strconv.Itoa(max(1, a.TeamSize))},
		"self_join": {yes(a.SelfJoin)}, "points": {none(a.Points)}, "held": {yes(a.Held)},
	}
}

// settings reads the form into an assignment, whose course and times of its
// own stay. What is wrong stands in the form's errors.
func (s *Server) settings(r *http.Request, f form, a *labs.Assignment) error {
	before := *a
	a.Title, a.LabSlug = f.Get("title"), f.Get("lab")
	a.OpensAt, a.DueAt, a.ClosesAt = f.time("opens"), f.time("due"), f.time("closes")
	a.Late = labs.LateRule{Percent: f.number("late_percent"), Floor: f.number("late_floor")}
	a.Attempts, a.Counts, a.TeamSize = f.int("attempts"), labs.Counts(f.Get("counts")), f.int("team_size")
	a.SelfJoin, a.Held, a.Points = f.Get("self_join") == "true", f.Get("held") == "true", f.number("points")
	l, ok := s.lab(a.LabSlug)
	if a.LabSlug != "" && !ok && a.LabSlug != before.LabSlug {
		f.errors["lab"] = "There is no such lab on this server."
	}
	if ok && a.LabSlug != before.LabSlug {
		if err := s.mayChoose(r.Context(), actorOf(r.Context()), a.CourseID, a.LabSlug); labs.CodeOf(err) == labs.Forbidden {
			f.errors["lab"] = labs.MessageOf(err)
		} else if err != nil {
			return err
		}
	}
	pinned := f.Get("pinned") == "true"
	switch {
	case !pinned:
		a.LabDigest = ""
	case ok && (before.LabDigest == "" || before.LabSlug != a.LabSlug):
		a.LabDigest = l.Digest
	}
	if len(f.errors) > 0 {
		return nil
	}
	clean := *a
	err := f.errors.take(labs.CleanAssignment(&clean))
	if err == nil && len(f.errors) == 0 {
		*a = clean
	}
	return err
}

func (s *Server) renderSettings(w http.ResponseWriter, r *http.Request, c labs.Course, id int64, f form, message string) error {
	status, title := http.StatusOK, "New assignment"
	if len(f.errors) > 0 || message != "" {
		status = http.StatusUnprocessableEntity
		if message == "" {
			message = "Some fields need another look; each says why."
		}
	}
	if id != 0 {
		title = f.Get("title")
	}
	may, err := s.choice(r.Context(), actorOf(r.Context()), c.ID)
	if err != nil {
		return err
	}
	return s.render(w, r, status, view{Page: "settings", Title: title, Error: message,
		Data: settingsData{Course: c, Labs: may, ID: id, Values: f.Values, Errors: f.errors}})
}

func (s *Server) newAssignmentPage(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	values := settingsOf(&labs.Assignment{Counts: labs.Best})
	values.Set("lab", r.URL.Query().Get("lab"))
	if l, ok := s.lab(values.Get("lab")); ok {
		values.Set("title", l.Title)
	}
	return s.renderSettings(w, r, c, 0, form{values, fieldErrors{}}, "")
}

func (s *Server) createAssignment(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	f, err := readFields(w, r)
	if err != nil {
		return err
	}
	a := labs.Assignment{CourseID: c.ID}
	if err := s.settings(r, f, &a); err != nil {
		return err
	}
	if len(f.errors) > 0 {
		return s.renderSettings(w, r, c, 0, f, "")
	}
	if err := s.store.CreateAssignment(r.Context(), &a); err != nil {
		return err
	}
	s.flash(r.Context(), "The assignment is made. Students see it under “My labs”.")
	return redirect(w, r, assignmentPath(a.ID))
}

func (s *Server) settingsPage(w http.ResponseWriter, r *http.Request) error {
	a, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	c, err := s.store.Course(r.Context(), a.CourseID)
	if err != nil {
		return err
	}
	return s.renderSettings(w, r, c, a.ID, form{settingsOf(&a), fieldErrors{}}, "")
}

func (s *Server) saveAssignment(w http.ResponseWriter, r *http.Request) error {
	a, err := s.taughtAssignment(r)
	if err != nil {
		return err
	}
	f, err := readFields(w, r)
	if err != nil {
		return err
	}
	if f.Get("do") == "delete" {
		if err := s.store.DeleteAssignment(r.Context(), a.ID); err != nil {
			return err
		}
		s.flash(r.Context(), "The assignment is deleted.")
		return redirect(w, r, coursePath(a.CourseID))
	}
	if err := s.settings(r, f, &a); err != nil {
		return err
	}
	message := ""
	if len(f.errors) == 0 {
		err := s.store.UpdateAssignment(r.Context(), &a, actorOf(r.Context()).ID)
		if err == nil {
			s.flash(r.Context(), "The assignment is saved.")
			return redirect(w, r, assignmentPath(a.ID))
		}
		if labs.CodeOf(err) != labs.Conflict {
			return err
		}
		message = labs.MessageOf(err)
	}
	c, err := s.store.Course(r.Context(), a.CourseID)
	if err != nil {
		return err
	}
	return s.renderSettings(w, r, c, a.ID, f, message)
}
