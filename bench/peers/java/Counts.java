/** What a rep did in a minute. */
public class Counts {
    public int calls;
    public int emails;
    public int conversations;

    /** Counts a record in (sign 1) or out again (-1). */
    public Counts add(Revision revision, int sign) {
        if (revision.kind.equals("email")) {
            emails += sign;
        } else {
            calls += sign;
            if (revision.connected && revision.talk_seconds >= 60) {
                conversations += sign;
            }
        }
        return this;
    }
}
