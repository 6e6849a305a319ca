import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * The floor as Kafka's developer guide writes a table that is regrouped and aggregated: a KTable of the latest
 * revisions, groupBy on the cell, an adder and a subtractor. At least once; state in RocksDB with changelogs.
 *
 * <p>Arguments: bootstrap, input topic, output topic, application id, state folder, threads.
 */
public final class KafkaStreamsFloor {
    private static final ObjectMapper JSON = new ObjectMapper();

    private KafkaStreamsFloor() {}

    public static void main(String[] arguments) throws InterruptedException {
        Serde<Revision> revisions = json(Revision.class);
        Serde<Counts> counts = json(Counts.class);
        StreamsBuilder builder = new StreamsBuilder();
        KTable<String, Revision> latest = builder
            .stream(arguments[1], Consumed.with(Serdes.String(), revisions))
            .peek((record, revision) -> FirstRecord.seen())
            .groupByKey(Grouped.with(Serdes.String(), revisions))
            .reduce(
                (held, revision) -> revision.revision > held.revision ? revision : held,
                Materialized.with(Serdes.String(), revisions));
        latest
            .filter((record, revision) -> !revision.deleted)
            .groupBy((record, revision) -> KeyValue.pair(revision.cell(), revision), Grouped.with(Serdes.String(), revisions))
            .aggregate(
                Counts::new,
                (cell, revision, held) -> held.add(revision, 1),
                (cell, revision, held) -> held.add(revision, -1),
                Materialized.with(Serdes.String(), counts))
            .toStream()
            .to(arguments[2], Produced.with(Serdes.String(), counts));

        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[3]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[5]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        // As floorcast commits. The default of 30 s holds results back for so long.
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close();
            stopped.countDown();
        }));
        streams.start();
        stopped.await();
    }

    private static <T> Serde<T> json(Class<T> type) {
        Serializer<T> serializer = (topic, value) -> {
            try {
                return value == null ? null : JSON.writeValueAsBytes(value);
            } catch (IOException error) {
                throw new SerializationException(error);
            }
        };
        Deserializer<T> deserializer = (topic, bytes) -> {
            try {
                return bytes == null ? null : JSON.readValue(bytes, type);
            } catch (IOException error) {
                throw new SerializationException(error);
            }
        };
        return Serdes.serdeFrom(serializer, deserializer);
    }
}
