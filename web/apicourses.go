package web

import (
	"net/http"
	"time"

	"github.com/patchbay/patchbay/labs"
)

type courseJSON struct {
	ID       int64     `json:"id"`
	Title    string    `json:"title"`
	Staff    bool      `json:"staff"`               // whether you teach it
	JoinCode string    `json:"join_code,omitempty"` // for its teachers; none when it is closed
	Labs     []string  `json:"labs"`                // slugs, in order
	Created  time.Time `json:"created"`
}

type memberJSON struct {
	userJSON
	Staff   bool  `json:"staff"`
	Section int64 `json:"section,omitempty"`
}

func (s *Server) toCourseJSON(r *http.Request, c labs.Course, staff bool) (courseJSON, error) {
	have, err := s.store.CourseLabs(r.Context(), c.ID)
	if err != nil {
		return courseJSON{}, err
	}
	j := courseJSON{ID: c.ID, Title: c.Title, Staff: staff, Created: c.CreatedAt,
		Labs: each(have, func(l labs.CourseLab) string { return l.Slug })}
	if staff {
		j.JoinCode = c.JoinCode
	}
	return j, nil
}

func (s *Server) answerCourse(w http.ResponseWriter, r *http.Request, status int, c labs.Course, staff bool) error {
	j, err := s.toCourseJSON(r, c, staff)
	if err != nil {
		return err
	}
	return writeJSON(w, status, j)
}

// apiCourses lists the courses that you are in; for an admin, all.
func (s *Server) apiCourses(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	answer := []courseJSON{}
	add := func(c labs.Course, staff bool) error {
		j, err := s.toCourseJSON(r, c, staff)
		answer = append(answer, j)
		return err
	}
	if a.admin() {
		all, err := s.store.Courses(ctx)
		if err != nil {
			return err
		}
		for _, c := range all {
			if err := add(c, true); err != nil {
				return err
			}
		}
		return writeJSON(w, http.StatusOK, answer)
	}
	mine, err := s.store.CoursesOf(ctx, a.ID)
	if err != nil {
		return err
	}
	for _, c := range mine {
		if err := add(c.Course, c.Staff); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (s *Server) apiCreateCourse(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Title string   `json:"title"`
		Labs  []string `json:"labs"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if err := s.knownLabs(req.Labs); err != nil {
		return err
	}
	c, err := s.store.CreateCourse(r.Context(), req.Title, actorOf(r.Context()).ID)
	if err != nil {
		return err
	}
	if err := s.store.SetCourseLabs(r.Context(), c.ID, req.Labs); err != nil {
		return err
	}
	return s.answerCourse(w, r, http.StatusCreated, c, true)
}

func (s *Server) apiCourse(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	return s.answerCourse(w, r, http.StatusOK, c, true)
}

func (s *Server) apiRenameCourse(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	var req struct {
		Title string `json:"title"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if err := s.store.RenameCourse(r.Context(), c.ID, req.Title); err != nil {
		return err
	}
	return s.answerAgain(w, r, c.ID)
}

func (s *Server) answerAgain(w http.ResponseWriter, r *http.Request, id int64) error {
	c, err := s.store.Course(r.Context(), id)
	if err != nil {
		return err
	}
	return s.answerCourse(w, r, http.StatusOK, c, true)
}

func (s *Server) apiSetCourseLabs(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	var slugs []string
	if err := readJSON(w, r, &slugs); err != nil {
		return err
	}
	if err := s.setCourseLabs(r.Context(), actorOf(r.Context()), c.ID, slugs); err != nil {
		return err
	}
	return s.answerAgain(w, r, c.ID)
}

func (s *Server) apiRenewJoinCode(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	var req struct {
		Open bool `json:"open"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if _, err := s.store.RenewJoinCode(r.Context(), c.ID, req.Open); err != nil {
		return err
	}
	return s.answerAgain(w, r, c.ID)
}

func (s *Server) apiMembers(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	members, err := s.store.Members(r.Context(), c.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, each(members, func(m labs.Member) memberJSON {
		return memberJSON{userJSON: toUserJSON(m.User), Staff: m.Staff, Section: m.SectionID}
	}))
}

func (s *Server) apiSetMember(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	user, err := pathID(r, "user")
	if err != nil {
		return err
	}
	var req struct {
		Staff   bool   `json:"staff"`
		Section *int64 `json:"section"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if err := s.setStaff(r.Context(), c.ID, user, req.Staff); err != nil {
		return err
	}
	if req.Section != nil {
		if err := s.store.SetSection(r.Context(), c.ID, user, *req.Section); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) apiRemoveMember(w http.ResponseWriter, r *http.Request) error {
	c, err := s.findCourse(r)
	if err != nil {
		return err
	}
	user, err := pathID(r, "user")
	if err != nil {
		return err
	}
	if err := s.removeMember(r.Context(), c.ID, user); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) apiJoin(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Code string `json:"code"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	c, err := s.joinAs(r, joinForm{Code: req.Code})
	if err != nil {
		return err
	}
	return s.answerCourse(w, r, http.StatusOK, c, false)
}
