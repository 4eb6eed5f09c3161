// Calls a server with stubs made by protoc and grpc_java_plugin: tags and a scene of the file, the limits, a stream, and
// an error.
//
//   java Caller ADDRESS FILE

import com.google.protobuf.ByteString;
import hearwire.v1.*;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

public class Caller {
  public static void main(String[] arguments) throws Exception {
    ManagedChannel channel = ManagedChannelBuilder.forTarget(arguments[0])
                                 .usePlaintext()
                                 .maxInboundMessageSize(Integer.MAX_VALUE)
                                 .build();
    EmbeddingServiceGrpc.EmbeddingServiceBlockingStub stub =
        EmbeddingServiceGrpc.newBlockingStub(channel).withDeadlineAfter(60, TimeUnit.SECONDS);

    ListConfigsResponse configs = stub.listConfigs(ListConfigsRequest.newBuilder().setLoadedOnly(true).build());
    System.out.println("config " + configs.getConfigs(0).getName());
    System.out.println("max_message_bytes " + configs.getLimits().getMaxMessageBytes());

    Audio clip = Audio.newBuilder().setEncoded(ByteString.copyFrom(Files.readAllBytes(Paths.get(arguments[1])))).build();
    GetTagsResponse tags = stub.getTags(GetTagsRequest.newBuilder().addClips(clip).setTopK(1).build());
    System.out.println("tag " + tags.getClips(0).getTags(0).getIndex());

    Matrix scene =
        stub.getSceneEmbeddings(GetSceneEmbeddingsRequest.newBuilder().addClips(clip).build()).getEmbeddings();
    FloatBuffer values =
        scene.getData().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    double sum = 0;
    while (values.hasRemaining()) sum += values.get();
    System.out.println(String.format(Locale.ROOT, "scene %d %.4f", scene.getColumns(), sum));

    CompletableFuture<Long> rows = new CompletableFuture<>();
    StreamObserver<StreamEmbeddingsRequest> stream =
        EmbeddingServiceGrpc.newStub(channel).withDeadlineAfter(60, TimeUnit.SECONDS).streamEmbeddings(
            new StreamObserver<StreamEmbeddingsResponse>() {
              @Override
              public void onNext(StreamEmbeddingsResponse answer) {
                if (answer.hasSummary()) rows.complete(answer.getSummary().getTimestampRows());
              }
              @Override
              public void onError(Throwable error) {
                rows.completeExceptionally(error);
              }
              @Override
              public void onCompleted() {
                rows.completeExceptionally(new IllegalStateException("no summary"));
              }
            });
    stream.onNext(StreamEmbeddingsRequest.newBuilder()
                      .setStart(StreamStart.newBuilder()
                                    .setEncoding(Pcm.Encoding.ENCODING_LINEAR16)
                                    .setSampleRateHertz(32000)
                                    .setChannelCount(1)
                                    .setTimestamps(true))
                      .build());
    stream.onNext(StreamEmbeddingsRequest.newBuilder().setSamples(ByteString.copyFrom(new byte[64000])).build());
    stream.onCompleted();
    System.out.println("rows " + rows.get());

    try {
      stub.getTags(GetTagsRequest.newBuilder().setNetwork("no such").addClips(clip).build());
    } catch (StatusRuntimeException error) {
      System.out.println("error " + error.getStatus().getCode());
    }
    channel.shutdownNow();
  }
}
