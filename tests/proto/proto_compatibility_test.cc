// The public contract stays compatible: whatever embedding.v1.txt and admin.v1.txt list is there still, with the same
// numbers and types. Additions are free; after one, append the lines that the test prints to the list.

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "hearwire/admin/v1/admin.pb.h"
#include "hearwire/v1/embedding.pb.h"

namespace hearwire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

void ListEnum(const EnumDescriptor& type, std::set<std::string>* lines) {
  for (int i = 0; i < type.value_count(); ++i) {
    lines->insert("value " + type.full_name() + " " + type.value(i)->name() + " = " +
                  std::to_string(type.value(i)->number()));
  }
}

std::string TypeName(const FieldDescriptor& field) {
  if (field.message_type() != nullptr) return field.message_type()->full_name();
  if (field.enum_type() != nullptr) return field.enum_type()->full_name();
  return field.type_name();
}

void ListMessage(const Descriptor& type, std::set<std::string>* lines) {
  lines->insert("message " + type.full_name());
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    lines->insert("field " + field.full_name() + " = " + std::to_string(field.number()) + " " +
                  (field.is_repeated() ? "repeated " : "") + TypeName(field) +
                  (field.containing_oneof() != nullptr ? " in " + field.containing_oneof()->name() : ""));
  }
  for (int i = 0; i < type.nested_type_count(); ++i) ListMessage(*type.nested_type(i), lines);
  for (int i = 0; i < type.enum_type_count(); ++i) ListEnum(*type.enum_type(i), lines);
}

std::set<std::string> ListContract(const FileDescriptor& file) {
  std::set<std::string> lines;
  for (int i = 0; i < file.message_type_count(); ++i) ListMessage(*file.message_type(i), &lines);
  for (int i = 0; i < file.enum_type_count(); ++i) ListEnum(*file.enum_type(i), &lines);
  for (int i = 0; i < file.service_count(); ++i) {
    const ServiceDescriptor& service = *file.service(i);
    for (int j = 0; j < service.method_count(); ++j) {
      const MethodDescriptor& method = *service.method(j);
      lines.insert("rpc " + method.full_name() + " " + (method.client_streaming() ? "stream " : "") +
                   method.input_type()->full_name() + " -> " + (method.server_streaming() ? "stream " : "") +
                   method.output_type()->full_name());
    }
  }
  return lines;
}

void ExpectKept(const FileDescriptor& file, const std::string& list, size_t at_least) {
  const std::set<std::string> now = ListContract(file);
  std::ifstream in(HEARWIRE_SOURCE_DIR "/tests/proto/" + list);
  ASSERT_TRUE(in) << "tests/proto/" << list << " is missing";
  std::set<std::string> published;
  for (std::string line; std::getline(in, line);) published.insert(line);
  EXPECT_GT(published.size(), at_least);
  for (const std::string& line : published) {
    EXPECT_TRUE(now.contains(line)) << "published, and changed or gone: " << line;
  }
  for (const std::string& line : now) {
    EXPECT_TRUE(published.contains(line)) << "new; append to tests/proto/" << list << ": " << line;
  }
}

TEST(ProtoCompatibilityTest, KeepsWhatWasPublished) {
  ExpectKept(*v1::GetTagsRequest::descriptor()->file(), "embedding.v1.txt", 60);
  ExpectKept(*admin::v1::ReloadRequest::descriptor()->file(), "admin.v1.txt", 8);
}

}  // namespace
}  // namespace hearwire
