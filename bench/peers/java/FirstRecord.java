import java.util.concurrent.atomic.AtomicBoolean;

/** Says when the first record came: the clock of a run begins there, after everything has started. */
public final class FirstRecord {
    private static final AtomicBoolean SEEN = new AtomicBoolean();

    private FirstRecord() {}

    public static void seen() {
        if (!SEEN.get() && SEEN.compareAndSet(false, true)) {
            System.out.println("first " + System.currentTimeMillis() / 1000.0);
            System.out.flush();
        }
    }
}
