/** One record of the sales floor as it was at one revision; the highest revision counts. A POJO, as both engines ask. */
public class Revision {
    public String record;
    public String kind;
    public String rep;
    /** Milliseconds since the epoch. */
    public long at;
    public int revision;
    public boolean connected;
    public int talk_seconds;
    public boolean deleted;

    /** The rep and the minute that this record counts for. */
    public String cell() {
        return rep + "|" + at / 60_000;
    }
}
