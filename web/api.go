package web

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// The API's own forms of things: what they are named here is a promise to
// scripts, whatever the domain calls them.

type userJSON struct {
	ID       int64     `json:"id"`
	Login    string    `json:"login"`
	Name     string    `json:"name"`
	Email    string    `json:"email,omitempty"`
	Role     labs.Role `json:"role"`
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created"`
}

func toUserJSON(u labs.User) userJSON {
	return userJSON{u.ID, u.Login, u.Name, u.Email, u.Role, u.Disabled, u.CreatedAt}
}

type labJSON struct {
	Slug        string          `json:"slug"`
	Title       string          `json:"title"`
	Summary     string          `json:"summary"`
	Difficulty  labs.Difficulty `json:"difficulty,omitempty"`
	Topic       string          `json:"topic,omitempty"`
	Minutes     int             `json:"minutes,omitempty"`
	Requires    []string        `json:"requires"`
	Tags        []string        `json:"tags"`
	Nodes       int             `json:"nodes"`
	Digest      string          `json:"digest"`
	Description string          `json:"description,omitempty"` // of one lab only
	Guide       string          `json:"guide,omitempty"`       // Markdown; of one lab only
}

func toLabJSON(l *labs.Lab) labJSON {
	return labJSON{Slug: l.Slug, Title: l.Title, Summary: l.Summary, Difficulty: l.Difficulty,
		Topic: l.Topic, Minutes: l.Minutes, Requires: list(l.Requires), Tags: list(l.Tags), Nodes: len(l.Topology.Nodes), Digest: l.Digest}
}

// rackJSON is a rack. State is nil when it does not run.
type rackJSON struct {
	ID         string      `json:"id"`
	Lab        string      `json:"lab"`
	Assignment int64       `json:"assignment,omitempty"` // what it is for; absent for practice
	Owner      string      `json:"owner"`
	Role       rack.Role   `json:"role"`             // what you may do: owner or viewer
	Status     rack.Status `json:"status"`           // off when it does not run
	Stream     string      `json:"stream"`           // path of its websocket
	Reason     string      `json:"reason,omitempty"` // why it failed
	State      *rack.State `json:"state,omitempty"`
}

type tokenJSON struct {
	ID       int64      `json:"id"`
	Name     string     `json:"name"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	LastUsed *time.Time `json:"last_used,omitempty"`
	Token    string     `json:"token,omitempty"` // when it was just made, and never again
}

func toTokenJSON(t labs.APIToken) tokenJSON {
	return tokenJSON{ID: t.ID, Name: t.Name, Created: t.CreatedAt, Expires: optional(t.ExpiresAt), LastUsed: optional(t.LastUsed)}
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// list makes JSON say [] instead of null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// each applies f to all of s.
func each[T, U any](s []T, f func(T) U) []U {
	out := make([]U, len(s))
	for i, v := range s {
		out[i] = f(v)
	}
	return out
}

func (s *Server) apiMe(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, toUserJSON(actorOf(r.Context()).User))
}

func (s *Server) apiTokens(w http.ResponseWriter, r *http.Request) error {
	tokens, err := s.store.Tokens(r.Context(), actorOf(r.Context()).ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, each(tokens, toTokenJSON))
}

func (s *Server) apiCreateToken(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Name string `json:"name"`
		Days int    `json:"days"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if req.Days < 1 || req.Days > 366 {
		return labs.Errorf(labs.Invalid, "days must be from 1 to 366.")
	}
	t, secret, err := s.store.CreateToken(r.Context(), actorOf(r.Context()).ID, req.Name, time.Now().AddDate(0, 0, req.Days))
	if err != nil {
		return err
	}
	answer := toTokenJSON(t)
	answer.Token = tokenPrefix + secret
	return writeJSON(w, http.StatusCreated, answer)
}

func (s *Server) apiDeleteToken(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "token")
	if err != nil {
		return err
	}
	a := actorOf(r.Context())
	if err := s.store.DeleteToken(r.Context(), a.ID, id); err != nil {
		return err
	}
	s.live.endIf(func(k *socket) bool { return k.who.ID == a.ID && k.who.script }, closeLoggedOut, "The API token was revoked.")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) apiLabs(w http.ResponseWriter, r *http.Request) error {
	a := actorOf(r.Context())
	mine := []labJSON{}
	for _, l := range s.shelf() {
		if !a.teaches() {
			has, err := s.store.HasLab(r.Context(), a.ID, l.Slug)
			if err != nil {
				return err
			}
			if !has {
				continue
			}
		}
		mine = append(mine, toLabJSON(l))
	}
	return writeJSON(w, http.StatusOK, mine)
}

func (s *Server) apiLab(w http.ResponseWriter, r *http.Request) error {
	l, err := s.findLab(r.Context(), actorOf(r.Context()), chi.URLParam(r, "lab"))
	if err != nil {
		return err
	}
	answer := toLabJSON(l)
	answer.Description, answer.Guide = l.Description, l.Guide
	return writeJSON(w, http.StatusOK, answer)
}

func (s *Server) apiUsers(w http.ResponseWriter, r *http.Request) error {
	users, err := s.store.Users(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, each(users, toUserJSON))
}

func (s *Server) apiUser(w http.ResponseWriter, r *http.Request) error {
	u, err := s.pathUser(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, toUserJSON(u))
}

func (s *Server) pathUser(r *http.Request) (labs.User, error) {
	id, err := pathID(r, "user")
	if err != nil {
		return labs.User{}, err
	}
	return s.store.User(r.Context(), id)
}

// linkJSON is a one-time link, with the user it is for.
type linkJSON struct {
	User  userJSON  `json:"user"`
	Link  string    `json:"link"`
	Until time.Time `json:"until"`
}

func (s *Server) apiCreateUser(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Login string    `json:"login"`
		Name  string    `json:"name"`
		Email string    `json:"email"`
		Role  labs.Role `json:"role"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	u := labs.User{Login: req.Login, Name: req.Name, Email: req.Email, Role: req.Role}
	if err := s.store.CreateUser(r.Context(), &u, ""); err != nil {
		return err
	}
	return s.answerLink(w, r, u)
}

func (s *Server) apiCreateLink(w http.ResponseWriter, r *http.Request) error {
	u, err := s.pathUser(r)
	if err != nil {
		return err
	}
	return s.answerLink(w, r, u)
}

func (s *Server) answerLink(w http.ResponseWriter, r *http.Request, u labs.User) error {
	inv, err := s.invite(r, u)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, linkJSON{User: toUserJSON(u), Link: inv.URL, Until: inv.Until})
}

func (s *Server) apiChangeUser(w http.ResponseWriter, r *http.Request) error {
	u, err := s.pathUser(r)
	if err != nil {
		return err
	}
	var req struct {
		Login    *string    `json:"login"`
		Name     *string    `json:"name"`
		Email    *string    `json:"email"`
		Role     *labs.Role `json:"role"`
		Disabled *bool      `json:"disabled"`
	}
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if u.ID == actorOf(r.Context()).ID && (req.Role != nil || req.Disabled != nil) {
		return labs.Errorf(labs.Conflict, "This is your own account. Ask another administrator to change it.")
	}
	set(&u.Login, req.Login)
	set(&u.Name, req.Name)
	set(&u.Email, req.Email)
	set(&u.Role, req.Role)
	set(&u.Disabled, req.Disabled)
	if err := s.saveUser(r.Context(), &u); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, toUserJSON(u))
}

// set changes what was given.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
