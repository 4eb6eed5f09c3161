// Calls a server with stubs made by protoc-gen-go: tags and a scene of the file, the limits, a stream, and an error.
//
//	caller ADDRESS FILE
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/ioutil"
	"log"
	"math"
	"os"
	"time"

	pb "hearwire/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	file, err := ioutil.ReadFile(os.Args[2])
	must(err)
	context, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	connection, err := grpc.DialContext(context, os.Args[1], grpc.WithInsecure(), grpc.WithBlock(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	must(err)
	defer connection.Close()
	client := pb.NewEmbeddingServiceClient(connection)

	configs, err := client.ListConfigs(context, &pb.ListConfigsRequest{LoadedOnly: true})
	must(err)
	fmt.Println("config", configs.Configs[0].Name)
	fmt.Println("max_message_bytes", configs.Limits.MaxMessageBytes)

	clips := []*pb.Audio{{Source: &pb.Audio_Encoded{Encoded: file}}}
	tags, err := client.GetTags(context, &pb.GetTagsRequest{Clips: clips, TopK: 1})
	must(err)
	fmt.Println("tag", tags.Clips[0].Tags[0].Index)

	scene, err := client.GetSceneEmbeddings(context, &pb.GetSceneEmbeddingsRequest{Clips: clips})
	must(err)
	sum := 0.0
	for data := scene.Embeddings.Data; len(data) > 0; data = data[4:] {
		sum += float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
	}
	fmt.Printf("scene %d %.4f\n", scene.Embeddings.Columns, sum)

	stream, err := client.StreamEmbeddings(context)
	must(err)
	must(stream.Send(&pb.StreamEmbeddingsRequest{Request: &pb.StreamEmbeddingsRequest_Start{Start: &pb.StreamStart{
		Encoding: pb.Pcm_ENCODING_LINEAR16, SampleRateHertz: 32000, ChannelCount: 1, Timestamps: true}}}))
	must(stream.Send(&pb.StreamEmbeddingsRequest{
		Request: &pb.StreamEmbeddingsRequest_Samples{Samples: make([]byte, 64000)}}))
	must(stream.CloseSend())
	for {
		answer, err := stream.Recv()
		must(err)
		if summary := answer.GetSummary(); summary != nil {
			fmt.Println("rows", summary.TimestampRows)
			break
		}
	}

	_, err = client.GetTags(context, &pb.GetTagsRequest{Network: "no such", Clips: clips})
	fmt.Println("error", status.Code(err))
}
