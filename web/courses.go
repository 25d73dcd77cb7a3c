package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
)

var errNoCourse = labs.Errorf(labs.NotFound, "There is no such course, or you do not teach it.")

// findCourse finds a course that a teaches, by the {course} of the path. The
// answer is the same for no course and somebody else's.
func (s *Server) findCourse(r *http.Request) (labs.Course, error) {
	id, err := pathID(r, "course")
	if err != nil {
		return labs.Course{}, errNoCourse
	}
	return s.taughtCourse(r.Context(), actorOf(r.Context()), id)
}

// taughtCourse is findCourse by a number.
func (s *Server) taughtCourse(ctx context.Context, a actor, id int64) (labs.Course, error) {
	if !a.admin() {
		e, err := s.store.Enrolment(ctx, id, a.ID)
		if labs.CodeOf(err) == labs.NotFound || err == nil && !e.Staff {
			return labs.Course{}, errNoCourse
		}
		if err != nil {
			return labs.Course{}, err
		}
	}
	c, err := s.store.Course(ctx, id)
	if labs.CodeOf(err) == labs.NotFound {
		err = errNoCourse
	}
	return c, err
}

// pathID reads a number of the path; the error has code NotFound.
func pathID(r *http.Request, name string) (int64, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, name), 10, 64)
	if err != nil || id <= 0 {
		return 0, labs.Errorf(labs.NotFound, "There is no such %s.", name)
	}
	return id, nil
}

// taught lists the courses that a teaches; an admin teaches all of them.
func (s *Server) taught(ctx context.Context, a actor) ([]labs.Course, error) {
	if a.admin() {
		return s.store.Courses(ctx)
	}
	mine, err := s.store.CoursesOf(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	var taught []labs.Course
	for _, c := range mine {
		if c.Staff {
			taught = append(taught, c.Course)
		}
	}
	return taught, nil
}

type courseRow struct {
	labs.Course
	Members, Labs int
}

func (s *Server) coursesPage(w http.ResponseWriter, r *http.Request) error {
	return s.renderCourses(w, r, http.StatusOK, "")
}

func (s *Server) renderCourses(w http.ResponseWriter, r *http.Request, status int, message string) error {
	ctx := r.Context()
	taught, err := s.taught(ctx, actorOf(ctx))
	if err != nil {
		return err
	}
	rows := make([]courseRow, len(taught))
	for i, c := range taught {
		members, err := s.store.Members(ctx, c.ID)
		if err != nil {
			return err
		}
		have, err := s.store.CourseLabs(ctx, c.ID)
		if err != nil {
			return err
		}
		rows[i] = courseRow{Course: c, Members: len(members), Labs: len(have)}
	}
	return s.render(w, r, status, view{Page: "courses", Title: "Courses", Error: message, Data: rows})
}

func (s *Server) createCourse(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	c, err := s.store.CreateCourse(r.Context(), r.PostForm.Get("title"), actorOf(r.Context()).ID)
	if labs.CodeOf(err) == labs.Invalid {
		return s.renderCourses(w, r, statusOf(err), labs.MessageOf(err))
	}
	if err != nil {
		return err
	}
	s.flash(r.Context(), "The course is made. Choose its labs, then give its join code to your students.")
	return redirect(w, r, coursePath(c.ID))
}

func coursePath(id int64) string { return fmt.Sprintf("/courses/%d", id) }

// labChoice is a lab that a course has, or could have.
type labChoice struct {
	Slug, Title, Summary string
	Chosen               bool
}

// memberRow is somebody in a course, with what of its labs runs.
type memberRow struct {
	labs.Member
	Section string
	Racks   []memberRack
}

type memberRack struct{ ID, Title string }

type courseData struct {
	labs.Course
	JoinURL     string
	Labs        []labChoice
	Assignments []labs.Assignment
	Sections    []labs.Section
	Members     []memberRow
}

func (s *Server) coursePage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	d := courseData{Course: c, JoinURL: s.publicURL(r) + "/join"}
	if d.Sections, err = s.store.Sections(ctx, c.ID); err != nil {
		return err
	}
	if d.Assignments, err = s.store.Assignments(ctx, c.ID); err != nil {
		return err
	}
	have, err := s.store.CourseLabs(ctx, c.ID)
	if err != nil {
		return err
	}
	chosen := map[string]bool{}
	for _, l := range have {
		chosen[l.Slug] = true
	}
	may, err := s.choice(ctx, actorOf(ctx), c.ID)
	if err != nil {
		return err
	}
	for _, l := range may {
		d.Labs = append(d.Labs, labChoice{Slug: l.Slug, Title: l.Title, Summary: l.Summary, Chosen: chosen[l.Slug]})
	}
	if d.Members, err = s.memberRows(ctx, &d, chosen); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, view{Page: "course", Title: c.Title, Data: d})
}

func (s *Server) memberRows(ctx context.Context, d *courseData, chosen map[string]bool) ([]memberRow, error) {
	members, err := s.store.Members(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	assignments := map[int64]string{}
	for _, a := range d.Assignments {
		assignments[a.ID] = a.Title
	}
	racks, err := s.racksByUser(ctx, d.ID, chosen, assignments)
	if err != nil {
		return nil, err
	}
	sections := sectionNames(d.Sections)
	rows := make([]memberRow, len(members))
	for i, m := range members {
		rows[i] = memberRow{Member: m, Section: sections[m.SectionID], Racks: racks[m.ID]}
	}
	return rows, nil
}

// racksByUser lists the racks that run one of the labs, to practise, or that
// are for one of the assignments, whose titles are given.
func (s *Server) racksByUser(ctx context.Context, course int64, slugs map[string]bool, assignments map[int64]string) (map[int64][]memberRack, error) {
	running, err := s.racks.Running(ctx)
	if err != nil {
		return nil, err
	}
	by := map[int64][]memberRack{}
	for _, id := range running {
		rec, err := s.store.Rack(ctx, id)
		if labs.CodeOf(err) == labs.NotFound {
			continue // started on the command line
		}
		if err != nil {
			return nil, err
		}
		if title := assignments[rec.AssignmentID]; title != "" {
			by[rec.UserID] = append(by[rec.UserID], memberRack{ID: id, Title: title})
		} else if l, ok := s.lab(rec.LabSlug); ok && slugs[rec.LabSlug] && rec.AssignmentID == 0 && rec.SubmissionID == 0 {
			ours, err := s.practisedIn(ctx, course, rec)
			if err != nil {
				return nil, err
			}
			if !ours {
				continue
			}
			by[rec.UserID] = append(by[rec.UserID], memberRack{ID: id, Title: l.Title})
		}
	}
	return by, nil
}

// setCourseLabs checks and stores a course's labs.
func (s *Server) setCourseLabs(ctx context.Context, a actor, course int64, slugs []string) error {
	if err := s.knownLabs(slugs); err != nil {
		return err
	}
	for _, slug := range slugs {
		if err := s.mayChoose(ctx, a, course, slug); err != nil {
			return err
		}
	}
	return s.store.SetCourseLabs(ctx, course, slugs)
}

// mayChoose says whether a may make a lab one of a course's, or of one of its
// assignments. Who teaches it as a student's assistant may choose of what it
// has: with any lab of the server they would see the hidden checks of those
// that they take themselves.
func (s *Server) mayChoose(ctx context.Context, a actor, course int64, slug string) error {
	if a.teaches() {
		return nil
	}
	has, err := s.courseHasLab(ctx, course, slug)
	if has || err != nil {
		return err
	}
	all, err := s.store.Assignments(ctx, course)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(as labs.Assignment) bool { return as.LabSlug == slug }) {
		return nil
	}
	return labs.Errorf(labs.Forbidden, "The lab %q is not one of this course: an instructor has to add it first.", slug)
}

// choice is the labs that a may choose for a course.
func (s *Server) choice(ctx context.Context, a actor, course int64) ([]*labs.Lab, error) {
	var may []*labs.Lab
	for _, l := range s.shelf() {
		err := s.mayChoose(ctx, a, course, l.Slug)
		if err != nil && labs.CodeOf(err) != labs.Forbidden {
			return nil, err
		}
		if err == nil {
			may = append(may, l)
		}
	}
	return may, nil
}

func (s *Server) knownLabs(slugs []string) error {
	for _, slug := range slugs {
		if _, ok := s.lab(slug); !ok {
			return labs.Errorf(labs.Invalid, "There is no lab %q on this server.", slug)
		}
	}
	return nil
}

func (s *Server) chooseLabs(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	if err := s.setCourseLabs(r.Context(), actorOf(r.Context()), c.ID, r.PostForm["lab"]); err != nil {
		return err
	}
	s.flash(r.Context(), "The course's labs are saved.")
	return redirect(w, r, coursePath(c.ID))
}

func (s *Server) renameCourse(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	if err := s.store.RenameCourse(r.Context(), c.ID, r.PostForm.Get("title")); err != nil {
		return err
	}
	s.flash(r.Context(), "The course has its new title.")
	return redirect(w, r, coursePath(c.ID))
}

func (s *Server) renewJoinCode(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	open := r.PostForm.Get("open") == "true"
	if _, err := s.store.RenewJoinCode(r.Context(), c.ID, open); err != nil {
		return err
	}
	if open {
		s.flash(r.Context(), "The course has a new join code. The old one no longer works.")
	} else {
		s.flash(r.Context(), "The course is closed: neither its join code nor those of its sections work any longer.")
	}
	return redirect(w, r, coursePath(c.ID))
}

// setStaff makes a member of a course its staff, or no longer. The last one
// stays: a course without staff could be opened by admins only.
func (s *Server) setStaff(ctx context.Context, course, user int64, staff bool) error {
	e, err := s.store.Enrolment(ctx, course, user)
	if err != nil {
		return err
	}
	if e.Staff && !staff {
		if err := s.notLastStaff(ctx, course, user); err != nil {
			return err
		}
	}
	return s.store.Enrol(ctx, course, user, staff)
}

func (s *Server) removeMember(ctx context.Context, course, user int64) error {
	if err := s.notLastStaff(ctx, course, user); err != nil {
		return err
	}
	if err := s.store.Leave(ctx, course, user); err != nil {
		return err
	}
	return nil
}

func (s *Server) notLastStaff(ctx context.Context, course, user int64) error {
	members, err := s.store.Members(ctx, course)
	if err != nil {
		return err
	}
	isStaff := func(m labs.Member) bool { return m.Staff }
	others := func(m labs.Member) bool { return m.Staff && m.ID != user }
	at := slices.IndexFunc(members, func(m labs.Member) bool { return m.ID == user })
	if at >= 0 && isStaff(members[at]) && !slices.ContainsFunc(members, others) {
		return labs.Errorf(labs.Conflict, "This is the course's last teacher. Make somebody else a teacher first.")
	}
	return nil
}

func (s *Server) changeMember(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	user, err := pathID(r, "user")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	switch r.PostForm.Get("do") {
	case "remove":
		err = s.removeMember(r.Context(), c.ID, user)
	case "staff":
		err = s.setStaff(r.Context(), c.ID, user, true)
	case "student":
		err = s.setStaff(r.Context(), c.ID, user, false)
	case "section":
		section, _ := strconv.ParseInt(r.PostForm.Get("section"), 10, 64) // nonsense is none
		err = s.store.SetSection(r.Context(), c.ID, user, section)
	default:
		err = labs.Errorf(labs.Invalid, "The form did not say what to do.")
	}
	if err != nil {
		return err
	}
	s.flash(r.Context(), "The list of members is changed.")
	return redirect(w, r, coursePath(c.ID))
}

// publicURL is how people reach this server, without a slash at its end.
func (s *Server) publicURL(r *http.Request) string {
	if p := s.cfg.PublicURL; p != nil {
		return p.Scheme + "://" + p.Host
	}
	scheme := "http"
	if r.TLS != nil || s.cfg.Secure {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
