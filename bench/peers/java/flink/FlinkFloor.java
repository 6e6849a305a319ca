import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.formats.json.JsonDeserializationSchema;
import org.apache.flink.formats.json.JsonSerializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.OffsetResetStrategy;

/**
 * The floor as Flink's DataStream guide writes keyed state: the latest revision by record, what it adds and takes away
 * by cell, a Kafka sink. Local cluster, heap state, a checkpoint every ten seconds, at least once.
 *
 * <p>Arguments: bootstrap, input topic, output topic, group, state folder, parallelism.
 */
public final class FlinkFloor {
    private FlinkFloor() {}

    /** A record counted in (sign 1) or out again (-1). */
    public static class Step {
        public String cell;
        public Revision revision;
        public int sign;

        public Step() {}

        Step(Revision revision, int sign) {
            this.cell = revision.cell();
            this.revision = revision;
            this.sign = sign;
        }
    }

    /** The counts of one cell. */
    public static class Pane {
        public String cell;
        public Counts counts;

        public Pane() {}

        Pane(String cell, Counts counts) {
            this.cell = cell;
            this.counts = counts;
        }
    }

    /** Keeps the latest revision of each record. */
    static class Latest extends KeyedProcessFunction<String, Revision, Step> {
        private transient ValueState<Revision> held;

        @Override
        public void open(OpenContext context) {
            held = getRuntimeContext().getState(new ValueStateDescriptor<>("latest", Revision.class));
        }

        @Override
        public void processElement(Revision revision, Context context, Collector<Step> out) throws Exception {
            FirstRecord.seen();
            Revision before = held.value();
            if (before != null && before.revision >= revision.revision) {
                return;
            }
            held.update(revision);
            if (before != null && !before.deleted) {
                out.collect(new Step(before, -1));
            }
            if (!revision.deleted) {
                out.collect(new Step(revision, 1));
            }
        }
    }

    /** Keeps the counts of each cell. */
    static class Count extends KeyedProcessFunction<String, Step, Pane> {
        private transient ValueState<Counts> held;

        @Override
        public void open(OpenContext context) {
            held = getRuntimeContext().getState(new ValueStateDescriptor<>("counts", Counts.class));
        }

        @Override
        public void processElement(Step step, Context context, Collector<Pane> out) throws Exception {
            Counts counts = held.value();
            if (counts == null) {
                counts = new Counts();
            }
            counts.add(step.revision, step.sign);
            held.update(counts);
            out.collect(new Pane(step.cell, counts));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Configuration settings = new Configuration();
        settings.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + arguments[4]);
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(settings);
        environment.setParallelism(Integer.parseInt(arguments[5]));
        environment.enableCheckpointing(10_000);

        KafkaSource<Revision> source = KafkaSource.<Revision>builder()
            .setBootstrapServers(arguments[0])
            .setTopics(arguments[1])
            .setGroupId(arguments[3])
            .setStartingOffsets(OffsetsInitializer.committedOffsets(OffsetResetStrategy.EARLIEST))
            .setValueOnlyDeserializer(new JsonDeserializationSchema<>(Revision.class))
            .build();
        KafkaSink<Pane> sink = KafkaSink.<Pane>builder()
            .setBootstrapServers(arguments[0])
            .setRecordSerializer(KafkaRecordSerializationSchema.<Pane>builder()
                .setTopic(arguments[2])
                .setKeySerializationSchema((Pane pane) -> pane.cell.getBytes(java.nio.charset.StandardCharsets.UTF_8))
                .setValueSerializationSchema(new CountsOfPane())
                .build())
            .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .build();
        environment
            .fromSource(source, WatermarkStrategy.noWatermarks(), "revisions")
            .keyBy(revision -> revision.record)
            .process(new Latest())
            .keyBy(step -> step.cell)
            .process(new Count())
            .sinkTo(sink);
        environment.execute("floor");
    }

    /** The value of an output message. */
    static class CountsOfPane implements org.apache.flink.api.common.serialization.SerializationSchema<Pane> {
        private final JsonSerializationSchema<Counts> json = new JsonSerializationSchema<>();

        @Override
        public void open(InitializationContext context) {
            json.open(context);
        }

        @Override
        public byte[] serialize(Pane pane) {
            return json.serialize(pane.counts);
        }
    }
}
